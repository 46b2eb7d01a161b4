// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The checked program: one attention with its sizes bound, every name resolved
// and every expression typed. It is what the meaning (frontend/Reference) and
// the compiler (frontend/MLIRGen) both read; neither sees the other.
//
// What the checker has already done: `fn` macros are expanded, `for` is
// unrolled, `clamp relu silu elu gelu logsigmoid softmax normalize rmsnorm norm
// mean` are written out in the operations below, `S += e` is `S = S + e`,
// a scaled input reads as value times scale.
#ifndef TROWEL_FRONTEND_AST_PROGRAM_H
#define TROWEL_FRONTEND_AST_PROGRAM_H

#include "frontend/AST/Location.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trowel {

enum class DType { F32, TF32, BF16, F16, E4M3, E5M2, I32 };

/// Who has a value of its own: each head, each group of heads, or all heads
/// one. Ordered from coarse to fine; an expression is as fine as its finest
/// operand.
enum class Sharing { Shared, Grouped, Head };

/// Index into Program::axes. The order there is the canonical order of an
/// expression's axes.
using AxisId = int;

struct Axis {
  std::string name; // a plain-number axis of `w : f32[4, K]` is called "w.0"
  int64_t size = 0;
  bool isPlainNumber = false; // reached by a constant index only
  Location location;
};

/// A set of reals as an interval; bounds may be infinite.
struct Interval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool lowOpen = false, highOpen = false;
};

enum class MapOp {
  // one operand
  Neg,
  Exp,
  Log,
  Log1p,
  Expm1,
  Sqrt,
  Rsqrt,
  Abs,
  Sign,
  Sigmoid,
  Softplus,
  Tanh,
  Sin,
  Cos,
  Erf,
  Floor,
  Round,
  Not,
  // two operands; Max and Min: a NaN operand wins, ties go to the first
  Add,
  Sub,
  Mul,
  Div,
  Mod,
  Pow,
  Max,
  Min,
  Logaddexp,
  Lt,
  Le,
  Gt,
  Ge,
  Eq,
  Ne,
  And,
  Or,
  // three operands: condition, then, else. Selects, never multiplies.
  Where
};

/// Mean stands in ReduceHeads only: how many heads there are is known at run
/// time. Along an axis a mean is a sum divided by the axis's size.
enum class ReduceOp { Sum, Max, Mean };

struct Expr;
/// Expressions are immutable once checked. One statement may hold the same
/// expression in several places (`x * x`): walk by pointer with a memo. Two
/// statements never share one.
using ExprPtr = std::shared_ptr<const Expr>;

struct Expr {
  enum class Kind {
    Number,   // number; a Boolean one is 0 or 1, an Integer one is whole
    Position, // `t`, an integer
    Input,    // index into Program::inputs
    Param,    // index into Program::params
    State,    // index into Program::states: its value at this place of the body
    Let,      // index into Program::lets
    Delay,    // operand 0 (an Input or Let) as it was `amount` tokens ago; zero
              // before the start
    Map,      // mapOp over the union of the operands' axes
    Contract, // product of operands 0 and 1, summed over `over`
    Reduce,   // reduceOp of operand 0 over `over`
    ReduceHeads, // reduceOp of operand 0 over all heads (sharing Shared) or
                 // those of a group (Grouped); a grouped operand counts once
                 // for every head
    Rename, // operand 0 with axis `from` called `to`
    Pick,   // operand 0 at position `index` of axis `from`
    Repeat, // operand 0 with axis `from` stretched to axis `to`, a multiple of
            // its size: position i reads i / (size of to / size of from);
            // per-block scales
    Cast,      // operand 0 rounded to `dtype` (and back to f32)
    PrefixSum, // running sum of operand 0, this token included
    Stop       // operand 0, without gradient
  };
  /// Integer operands of a Real operation (`/`, `exp`, a mix of both) are
  /// converted to reals first.
  enum class Scalar { Real, Integer, Boolean };

  Kind kind = Kind::Number;
  Location location;
  Scalar scalar = Scalar::Real;
  std::vector<AxisId> axes; // ascending
  Sharing sharing = Sharing::Shared;
  bool perToken = false; // false: constants and params only
  int height = 1;        // of the tree; at most 2000, so readers may recurse
  Interval range;        // what values it can take

  double number = 0;
  int index = -1; // Input, Param, State, Let: which; Pick: the position
  int amount = 0; // Delay: tokens, at least 1
  MapOp mapOp = MapOp::Add;
  ReduceOp reduceOp = ReduceOp::Sum;
  std::vector<AxisId> over; // Contract, Reduce
  AxisId from = -1, to = -1;
  DType dtype = DType::F32;
  std::vector<ExprPtr> operands;
};

/// A tensor at the boundary: an input, param, state or output.
struct Declaration {
  std::string name;
  DType dtype = DType::F32;
  std::vector<AxisId> shape; // in the order written, which is the layout's
  Sharing sharing = Sharing::Head;
  std::optional<Interval> range; // declared, if any
  ExprPtr initial; // states only; null: zero. A Number, or has the state's axes
  int scales = -1; // inputs only: `x_scale` says which input it scales
  Location location;
};

struct Let {
  std::string name;
  ExprPtr value;
  Location location;
};

struct Statement {
  enum class Kind { Let, Update, Output, Debug };
  Kind kind = Kind::Let;
  int target = -1; // Let: lets; Update: states; Output: outputs; Debug: debugs
  ExprPtr value;   // Let: the same as lets[target].value. Update, Output: a
                 // Number (every element), or has exactly the target's axes
  Location location;
};

/// One token of one head, top to bottom.
struct Program {
  std::string name;
  std::string comment; // the comment above it: title, authors, year
  std::vector<Axis> axes;
  std::vector<std::pair<std::string, int64_t>>
      sizes; // header sizes and dims, bound
  std::vector<Declaration> inputs, params, states, outputs;
  std::vector<Let> lets; // an `out` that later lines read is a let as well
  std::vector<std::string> debugs; // source text of each debug expression
  std::vector<Statement> body;
};

} // namespace trowel

#endif // TROWEL_FRONTEND_AST_PROGRAM_H
