// RUN: trowel-opt %s --canonicalize --cse | FileCheck %s
//
// What nothing uses still belongs to the caller's interface.

// CHECK: rec.input "unused"
// CHECK: rec.state "S"
// CHECK-NOT: rec.map
// CHECK: rec.update "S"
rec.program @p axes ["K"] sizes [4] {
  %0 = rec.input "unused" head bf16 ["K"] range [0.0, 1.0] : tensor<4xf32, #rec.axes<K>>
  %1 = rec.input "x" head bf16 ["K"] : tensor<4xf32, #rec.axes<K>>
  %2 = rec.state "S" head f32 ["K"] : tensor<4xf32, #rec.axes<K>>
  %3 = rec.map exp(%1) : (tensor<4xf32, #rec.axes<K>>) -> tensor<4xf32, #rec.axes<K>>
  rec.update "S", %1 : tensor<4xf32, #rec.axes<K>>
}
