// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `rec` dialect: what one head does at one token (level 0), and the same
// split into stages in normal form (level 1). See Rec.md for the reasons.

#ifndef TROWEL_DIALECT_REC_RECOPS_TD
#define TROWEL_DIALECT_REC_RECOPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Rec_Dialect : Dialect {
  let name = "rec";
  let cppNamespace = "::trowel::rec";
  let summary = "Values with named axes at one token of one head";
  let useDefaultAttributePrinterParser = 1;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Rec_AxesAttr : AttrDef<Rec_Dialect, "Axes"> {
  let mnemonic = "axes";
  let summary = "The names of a tensor's axes, as the encoding of its type";
  let description = [{
    `tensor<128x64xf32, #rec.axes<K, V>>` is a value with axes `K` and `V`. A
    scalar is `tensor<f32, #rec.axes<>>`. The order is that of the program's
    axes, so two values with the same set of axes have the same type.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names);
  let hasCustomAssemblyFormat = 1;
}

class Rec_Enum<string name, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, "", cases> {
  let cppNamespace = "::trowel::rec";
}

def Rec_MapKind : Rec_Enum<"MapKind", [
  I32EnumAttrCase<"Neg", 0, "neg">, I32EnumAttrCase<"Exp", 1, "exp">,
  I32EnumAttrCase<"Log", 2, "log">, I32EnumAttrCase<"Log1p", 3, "log1p">,
  I32EnumAttrCase<"Expm1", 4, "expm1">, I32EnumAttrCase<"Sqrt", 5, "sqrt">,
  I32EnumAttrCase<"Rsqrt", 6, "rsqrt">, I32EnumAttrCase<"Abs", 7, "abs">,
  I32EnumAttrCase<"Sign", 8, "sign">, I32EnumAttrCase<"Sigmoid", 9, "sigmoid">,
  I32EnumAttrCase<"Softplus", 10, "softplus">, I32EnumAttrCase<"Tanh", 11, "tanh">,
  I32EnumAttrCase<"Sin", 12, "sin">, I32EnumAttrCase<"Cos", 13, "cos">,
  I32EnumAttrCase<"Erf", 14, "erf">, I32EnumAttrCase<"Floor", 15, "floor">,
  I32EnumAttrCase<"Round", 16, "round">, I32EnumAttrCase<"Not", 17, "not">,
  I32EnumAttrCase<"Add", 18, "add">, I32EnumAttrCase<"Sub", 19, "sub">,
  I32EnumAttrCase<"Mul", 20, "mul">, I32EnumAttrCase<"Div", 21, "div">,
  I32EnumAttrCase<"Mod", 22, "mod">, I32EnumAttrCase<"Pow", 23, "pow">,
  I32EnumAttrCase<"Max", 24, "max">, I32EnumAttrCase<"Min", 25, "min">,
  I32EnumAttrCase<"Logaddexp", 26, "logaddexp">,
  I32EnumAttrCase<"Lt", 27, "lt">, I32EnumAttrCase<"Le", 28, "le">,
  I32EnumAttrCase<"Gt", 29, "gt">, I32EnumAttrCase<"Ge", 30, "ge">,
  I32EnumAttrCase<"Eq", 31, "eq">, I32EnumAttrCase<"Ne", 32, "ne">,
  I32EnumAttrCase<"And", 33, "and">, I32EnumAttrCase<"Or", 34, "or">,
  I32EnumAttrCase<"Where", 35, "where">,
  I32EnumAttrCase<"ToReal", 36, "to_real">
]>;

def Rec_ReduceKind : Rec_Enum<"ReduceKind", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">,
  I32EnumAttrCase<"Mean", 2, "mean">
]>;

def Rec_SharingKind : Rec_Enum<"SharingKind", [
  I32EnumAttrCase<"Shared", 0, "shared">,
  I32EnumAttrCase<"Grouped", 1, "grouped">,
  I32EnumAttrCase<"Head", 2, "head">
]>;

def Rec_DTypeKind : Rec_Enum<"DTypeKind", [
  I32EnumAttrCase<"F32", 0, "f32">, I32EnumAttrCase<"TF32", 1, "tf32">,
  I32EnumAttrCase<"BF16", 2, "bf16">, I32EnumAttrCase<"F16", 3, "f16">,
  I32EnumAttrCase<"E4M3", 4, "e4m3">, I32EnumAttrCase<"E5M2", 5, "e5m2">,
  I32EnumAttrCase<"I32", 6, "i32">
]>;

def Rec_Value : TensorOf<[F32, I32, I1]>;

class Rec_Op<string mnemonic, list<Trait> traits = []>
    : Op<Rec_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// The token program (level 0)
//===----------------------------------------------------------------------===//

// Inputs, params and states are declarations as well as values: the caller's
// tensors follow from them. They are not `Pure`, so that one that nothing uses
// stays.

def Rec_ProgramOp : Rec_Op<"program", [
    IsolatedFromAbove, SingleBlock, NoTerminator, NoRegionArguments, Symbol]> {
  let summary = "holds what one head does at one token";
  let description = [{
    The body is one block of values, in program order. `axes` and `sizes` list
    the named axes in canonical order. What the program does is what its
    `rec.update` and `rec.output` operations say; everything else is a value.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$axes,
                       DenseI64ArrayAttr:$sizes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `axes` $axes `sizes` $sizes attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
}

def Rec_InputOp : Rec_Op<"input"> {
  let summary = "yields an input tensor's values at this token";
  let description = [{
    `layout` names the axes in the order of the caller's tensor
    `[B, T, H | G, layout…]`; the result has them in canonical order. `range`,
    if present, is the declared `[low, high]`. A `partial` one is for the first
    head alone of those that share it; the others see zero.
  }];
  let arguments = (ins StrAttr:$name, Rec_DTypeKind:$dtype,
                       Rec_SharingKind:$sharing, StrArrayAttr:$layout,
                       OptionalAttr<F64ArrayAttr>:$range, UnitAttr:$partial);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $name $sharing (`partial` $partial^)? $dtype $layout (`range` $range^)?
    attr-dict `:` type($result)
  }];
}

def Rec_ParamOp : Rec_Op<"param"> {
  let summary = "yields a parameter's values";
  let description = [{ As `rec.input`, from a tensor `[H | G | -, layout…]` without time. }];
  let arguments = (ins StrAttr:$name, Rec_DTypeKind:$dtype,
                       Rec_SharingKind:$sharing, StrArrayAttr:$layout,
                       OptionalAttr<F64ArrayAttr>:$range);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $name $sharing $dtype $layout (`range` $range^)? attr-dict `:` type($result)
  }];
}

def Rec_StateOp : Rec_Op<"state"> {
  let summary = "yields a state's values when the token begins";
  let description = [{
    `initial`, a value of constants and params, is what the state holds before
    the first token of a sequence unless the caller passes one; without it, zero.
    A `hidden` state is part of the opaque carry: a delay or a running sum.

    In a backward program, a `saved` state is one of the forward program, as
    that kept it when each chunk began; nothing updates it here. The gradient of
    a state is a state that the chunks hand on from the last to the first. It is
    `partial`: the caller's value goes to the first head of those that share the
    state, and the caller gets the sum over these heads.
  }];
  let arguments = (ins StrAttr:$name, Rec_DTypeKind:$dtype,
                       Rec_SharingKind:$sharing, StrArrayAttr:$layout,
                       UnitAttr:$hidden, Optional<Rec_Value>:$initial,
                       UnitAttr:$saved, UnitAttr:$partial);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $name $sharing (`partial` $partial^)? $dtype $layout (`hidden` $hidden^)?
    (`saved` $saved^)?
    (`initial` $initial^ `:` type($initial))? attr-dict `:` type($result)
  }];
}

def Rec_UpdateOp : Rec_Op<"update"> {
  let summary = "sets what a state holds when the token ends";
  let arguments = (ins StrAttr:$name, Rec_Value:$value);
  let assemblyFormat = "$name `,` $value attr-dict `:` type($value)";
}

def Rec_OutputOp : Rec_Op<"output"> {
  let summary = "sets an output tensor's values at this token";
  let description = [{
    `debug` marks an extra output asked for by `debug(x)`. A `partial` one is
    the sum over the heads that share it.
  }];
  let arguments = (ins StrAttr:$name, Rec_DTypeKind:$dtype,
                       Rec_SharingKind:$sharing, StrArrayAttr:$layout,
                       UnitAttr:$debug, Rec_Value:$value, UnitAttr:$partial);
  let assemblyFormat = [{
    $name $sharing (`partial` $partial^)? $dtype $layout (`debug` $debug^)? `,`
    $value attr-dict `:` type($value)
  }];
}

def Rec_TotalOp : Rec_Op<"total"> {
  let summary = "adds a value up over all tokens and the heads that share it";
  let description = [{
    The caller gets a tensor like a param's, `[H | G | -, layout…]`: the gradient
    of one. The order of summation is fixed.
  }];
  let arguments = (ins StrAttr:$name, Rec_DTypeKind:$dtype,
                       Rec_SharingKind:$sharing, StrArrayAttr:$layout,
                       Rec_Value:$value);
  let assemblyFormat = [{
    $name $sharing $dtype $layout `,` $value attr-dict `:` type($value)
  }];
}

def Rec_ConstantOp : Rec_Op<"constant", [Pure]> {
  let summary = "yields a number";
  let description = [{
    `value` has the result's axes. Where the result is f32 its elements may be
    f64, which keeps the digits of a number for what computes in float64.
  }];
  let arguments = (ins TypedAttrInterface:$value);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
}

def Rec_PositionOp : Rec_Op<"position", [Pure]> {
  let summary = "yields the token's position in its sequence, from 0";
  let results = (outs Rec_Value:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Rec_MapOp : Rec_Op<"map", [Pure]> {
  let summary = "applies a function element by element";
  let description = [{
    The operands are spread over the union of their axes, by name. `where`
    selects: what it does not take reaches nothing. `max` and `min` yield NaN if
    an operand is NaN, and the first operand on a tie. `to_real` turns an i32 or
    i1 value into f32.
    1. The result's axes are the union of the operands' axes.
    2. One operand for `neg` to `not` and `to_real`, three for `where`, else two.
  }];
  let arguments = (ins Rec_MapKind:$kind, Variadic<Rec_Value>:$operands_);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $kind `(` $operands_ `)` attr-dict `:` functional-type($operands_, $result)
  }];
  let hasVerifier = 1;
}

def Rec_ContractOp : Rec_Op<"contract", [Pure]> {
  let summary = "multiplies two values and sums over named axes";
  let description = [{
    `result[…] = sum over axes of lhs[…] * rhs[…]`: every matrix product.
    1. Each of `axes` is an axis of both operands.
    2. The result's axes are the union of the operands' axes less `axes`.
  }];
  let arguments = (ins Rec_Value:$lhs, Rec_Value:$rhs, StrArrayAttr:$axes);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs `over` $axes attr-dict `:`
    functional-type(operands, $result)
  }];
  let hasVerifier = 1;
}

def Rec_ReduceOp : Rec_Op<"reduce", [Pure]> {
  let summary = "sums or maximises over named axes";
  let arguments = (ins Rec_ReduceKind:$kind, Rec_Value:$operand,
                       StrArrayAttr:$axes);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $kind $operand `over` $axes attr-dict `:` type($operand) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Rec_ReduceHeadsOp : Rec_Op<"reduce_heads", [Pure, AllTypesMatch<["operand", "result"]>]> {
  let summary = "reduces over the heads of a group, or over all";
  let description = [{ `to` is who has the result: `grouped` or `shared`. }];
  let arguments = (ins Rec_ReduceKind:$kind, Rec_Value:$operand,
                       Rec_SharingKind:$to);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = "$kind $operand `to` $to attr-dict `:` type($result)";
}

def Rec_RenameOp : Rec_Op<"rename", [Pure]> {
  let summary = "calls an axis by another name of the same size";
  let arguments = (ins Rec_Value:$operand, StrAttr:$from, StrAttr:$to);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $operand $from `to` $to attr-dict `:` type($operand) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Rec_PickOp : Rec_Op<"pick", [Pure]> {
  let summary = "takes one position along an axis";
  let arguments = (ins Rec_Value:$operand, StrAttr:$axis, I64Attr:$index);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $operand $axis `at` $index attr-dict `:` type($operand) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Rec_StackOp : Rec_Op<"stack", [Pure]> {
  let summary = "puts values side by side along a new axis";
  let description = [{
    `result[…, i, …] = values[i][…]`. The rows of a read with an axis that no
    state has become one value again; in a chunk, the rows of a token (`t.r`).
    1. As many values as the axis has positions.
    2. The result's axes are each value's axes and `axis`.
  }];
  let arguments = (ins Variadic<Rec_Value>:$values, StrAttr:$axis);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = "$axis $values attr-dict `:` type($values) `->` type($result)";
  let hasVerifier = 1;
}

def Rec_RepeatOp : Rec_Op<"repeat", [Pure]> {
  let summary = "spreads a value along a finer axis, each element repeated";
  let description = [{
    `result[…, i, …] = operand[…, i / (size(to) / size(from)), …]`: the scales
    of a block-scaled 8-bit input.
  }];
  let arguments = (ins Rec_Value:$operand, StrAttr:$from, StrAttr:$to);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $operand $from `to` $to attr-dict `:` type($operand) `->` type($result)
  }];
}

def Rec_CastOp : Rec_Op<"cast", [Pure]> {
  let summary = "rounds to a narrower type and back";
  let description = [{ To nearest even; the 8-bit types saturate. }];
  let arguments = (ins Rec_Value:$operand, Rec_DTypeKind:$dtype);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = "$operand `to` $dtype attr-dict `:` type($operand) `->` type($result)";
}

def Rec_DelayOp : Rec_Op<"delay", [Pure, AllTypesMatch<["operand", "result"]>]> {
  let summary = "yields the value that the operand had some tokens ago";
  let description = [{
    Zero before the sequence begins. `reverse`: the value that it will have some
    tokens later, zero behind the sequence's end; in backward programs, whose
    chunks run from the last to the first. There, a delay with the name `saved`
    has the tokens before the chunk from the forward program's delay of the same
    name, which kept them.
  }];
  let arguments = (ins Rec_Value:$operand, I64Attr:$amount, UnitAttr:$reverse,
                       OptionalAttr<StrAttr>:$saved);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $operand `by` $amount (`reverse` $reverse^)? (`saved` $saved^)? attr-dict
    `:` type($result)
  }];
}

def Rec_StopOp : Rec_Op<"stop", [Pure, AllTypesMatch<["operand", "result"]>]> {
  let summary = "yields its operand, without gradient";
  let arguments = (ins Rec_Value:$operand);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = "$operand attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Stages in normal form (level 1)
//===----------------------------------------------------------------------===//

// A stage updates its states, so it is never dead, whoever uses its results.
def Rec_StageOp : Rec_Op<"stage", [SingleBlock, NoRegionArguments]> {
  let summary = "holds one affine stage: rows, writes and the transition";
  let description = [{
    For states `S_j` with key axes `K_j` and the common value axes `V`, all read
    as they were when the token began, one token means

        row r:        x_r = w_r + pv_r * (sum_j B_rj @ S_j) + sum_q c_rq * x_q + sum_i d_ri * y_i
        scalar i:     y_i = sum_V p_i * x_r
        end of token: S_i = gv * (sum_j Phi_ij * S_j) + sum_w kappa_wi * x_w

    with `B`, `kappa` and `Phi` on key axes only, `w`, `pv` and `gv` on value
    axes only, `c` free of both, and `q` before `r`. The region holds `rec.row`,
    `rec.write`, `rec.transition`, `rec.value_decay` and `rec.across` and ends
    with `rec.yield` of the rows that the rest of the program sees.

    A row that feeds a write is part of the chunk's triangular solve; scalars
    that do have one of their own. `reverse`: the tokens come from the last to
    the first.
    1. Coefficients do not depend on the stage's states.
  }];
  let arguments = (ins StrArrayAttr:$states, StrArrayAttr:$value_axes,
                       UnitAttr:$reverse);
  let results = (outs Variadic<Rec_Value>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $states `values` $value_axes (`reverse` $reverse^)? attr-dict-with-keyword
    `:` type($results) $body
  }];
  let hasVerifier = 1;
}

def Rec_RowOp : Rec_Op<"row", [AttrSizedOperandSegments, ParentOneOf<["StageOp"]>]> {
  let summary = "reads the stage's states, adds earlier rows and a value";
  let description = [{
    `reads` are the coefficients `B`, one for each state index in `states`;
    `rows` are earlier rows of this token with their `couplings`; `value` is
    `w`; `scale` is `pv`; `scalars` are earlier scalars of this token with
    their `coefficients` `d`, on value axes.
  }];
  let arguments = (ins Variadic<Rec_Value>:$reads, DenseI64ArrayAttr:$states,
                       Variadic<Rec_Value>:$rows, Variadic<Rec_Value>:$couplings,
                       Optional<Rec_Value>:$value, Optional<Rec_Value>:$scale,
                       Variadic<Rec_Value>:$scalars,
                       Variadic<Rec_Value>:$coefficients);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    `reads` `(` ($reads^ `:` type($reads))? `)` $states
    `rows` `(` ($rows^ `:` type($rows))? `)`
    `couplings` `(` ($couplings^ `:` type($couplings))? `)`
    (`value` $value^ `:` type($value))? (`scale` $scale^ `:` type($scale))?
    (`scalars` $scalars^ `:` type($scalars) `coefficients` $coefficients
     `:` type($coefficients))? attr-dict `->` type($result)
  }];
}

def Rec_ScalarRowOp : Rec_Op<"scalar_row", [Pure, ParentOneOf<["StageOp"]>]> {
  let summary = "contracts a row with a vector: a read of every axis";
  let description = [{ `result = sum over the value axes of row * vector`. }];
  let arguments = (ins Rec_Value:$row, Rec_Value:$vector);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    $row `with` $vector attr-dict `:` type($row) `,` type($vector) `->`
    type($result)
  }];
}

def Rec_WriteOp : Rec_Op<"write", [ParentOneOf<["StageOp"]>]> {
  let summary = "adds key times row to a state at the token's end";
  let description = [{
    `scale`, on value axes, is what later value decays of the token make of the
    row: the state gains `key * scale * row`.
  }];
  let arguments = (ins I64Attr:$state, Rec_Value:$key, Rec_Value:$row,
                       Optional<Rec_Value>:$scale);
  let assemblyFormat = [{
    $state `key` $key `:` type($key) `row` $row `:` type($row)
    (`scale` $scale^ `:` type($scale))? attr-dict
  }];
}

def Rec_TransitionOp : Rec_Op<"transition", [ParentOneOf<["StageOp"]>]> {
  let summary = "sets one block of the transition: from state to state";
  let description = [{ `to` ends the token with `value * from`; absent blocks are zero. }];
  let arguments = (ins I64Attr:$to, I64Attr:$from, Rec_Value:$value);
  let assemblyFormat = "$to `from` $from `,` $value attr-dict `:` type($value)";
}

def Rec_ValueDecayOp : Rec_Op<"value_decay", [ParentOneOf<["StageOp"]>]> {
  let summary = "sets the token's factor on the value axes";
  let arguments = (ins Rec_Value:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

def Rec_AcrossOp : Rec_Op<"across", [AttrSizedOperandSegments, ParentOneOf<["StageOp"]>]> {
  let summary = "reads the stage's states across their value axes: an output";
  let description = [{
    `result[K] = sum_j A_j[K] * sum_V S_j[K, V] p[V] + sum_w key_w[K] * sum_V x_w[V] p_w[V] + value`

    `reads` are the coefficients `A_j`, on key axes; `vector` is `p`, on value
    axes (with the value factors up to here in it); `rows` are this token's
    earlier rows, with their `keys` and `vectors` (`p_w`).
  }];
  let arguments = (ins Variadic<Rec_Value>:$reads, DenseI64ArrayAttr:$states,
                       Optional<Rec_Value>:$vector, Variadic<Rec_Value>:$rows,
                       Variadic<Rec_Value>:$keys, Variadic<Rec_Value>:$vectors,
                       Optional<Rec_Value>:$value);
  let results = (outs Rec_Value:$result);
  let assemblyFormat = [{
    `reads` `(` ($reads^ `:` type($reads))? `)` $states
    (`vector` $vector^ `:` type($vector))?
    `rows` `(` ($rows^ `:` type($rows))? `)`
    `keys` `(` ($keys^ `:` type($keys))? `)`
    `vectors` `(` ($vectors^ `:` type($vectors))? `)`
    (`value` $value^ `:` type($value))? attr-dict `->` type($result)
  }];
}

def Rec_SequentialOp : Rec_Op<"sequential", [SingleBlock]> {
  let summary = "holds a stage that runs token after token";
  let description = [{
    The block's arguments are the states as the token begins; the region holds
    the operations that need them, and ends with `rec.yield` of first the
    states as the token ends, then the values that the rest of the program sees.
    `scan` is set where every update is affine and elementwise; `reason`
    says why the stage has no form of matrix products, `help` what to change; the
    operation's location is the expression that prevents it. `reverse`: the
    tokens come from the last to the first.
  }];
  let arguments = (ins StrArrayAttr:$states, UnitAttr:$scan, StrAttr:$reason,
                       OptionalAttr<StrAttr>:$help, UnitAttr:$reverse);
  let results = (outs Variadic<Rec_Value>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $states (`scan` $scan^)? (`reverse` $reverse^)? `because` $reason
    (`help` $help^)?
    attr-dict-with-keyword `:` type($results) $body
  }];
}

def Rec_TransitionGradientOp : Rec_Op<"transition_gradient", [Pure, AttrSizedOperandSegments]> {
  let summary = "yields the gradient of a stage's transition";
  let description = [{
    The states S and their gradients dS are those of a stage and of its adjoint:

        S_i, from token to token:   gv * (sum_j Phi_ij * S_j) + sum_w kappa_wi * x_w
        dS_j, from token to token:  gv * (sum_i Phi_ij * dS_i) + sum_r B_rj * y_r

    with S as `starts` before the first token and dS as `ends` behind the last.
    Of `phi` at `phi_blocks`, pairs (to, from), and of `decay`, `gv`, the results
    are, at each token, with S before and dS behind it,

        dPhi_ij = sum_V dS_i * gv * S_j     dgv = sum_ij sum_K dS_i * Phi_ij * S_j

    for the blocks numbered in `wanted`, then for `decay` if it is there, each on
    the axes of what it is the gradient of. `key_index` pairs each of `keys` with
    the number of a vector and a state, (w, i); `read_index` does so for `reads`,
    (r, j).
  }];
  let arguments = (ins Variadic<Rec_Value>:$phi, DenseI64ArrayAttr:$phi_blocks,
                       Optional<Rec_Value>:$decay,
                       Variadic<Rec_Value>:$starts, Variadic<Rec_Value>:$ends,
                       Variadic<Rec_Value>:$keys, DenseI64ArrayAttr:$key_index,
                       Variadic<Rec_Value>:$vectors,
                       Variadic<Rec_Value>:$reads, DenseI64ArrayAttr:$read_index,
                       Variadic<Rec_Value>:$read_vectors,
                       DenseI64ArrayAttr:$wanted);
  let results = (outs Variadic<Rec_Value>:$results);
  let assemblyFormat = [{
    `phi` `(` ($phi^ `:` type($phi))? `)` $phi_blocks
    (`decay` $decay^ `:` type($decay))?
    `from` `(` $starts `:` type($starts) `)` `to` `(` $ends `:` type($ends) `)`
    `keys` `(` ($keys^ `:` type($keys))? `)` $key_index
    `with` `(` ($vectors^ `:` type($vectors))? `)`
    `reads` `(` ($reads^ `:` type($reads))? `)` $read_index
    `with` `(` ($read_vectors^ `:` type($read_vectors))? `)`
    `wanted` $wanted attr-dict `->` type($results)
  }];
}

def Rec_YieldOp : Rec_Op<"yield", [Terminator, Pure, ParentOneOf<["StageOp", "SequentialOp"]>]> {
  let summary = "ends a stage";
  let arguments = (ins Variadic<Rec_Value>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // TROWEL_DIALECT_REC_RECOPS_TD
