// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `chunk` dialect: what one head does over a chunk of tokens (level 2).
// See Chunk.md for the reasons.

#ifndef TROWEL_DIALECT_CHUNK_CHUNKOPS_TD
#define TROWEL_DIALECT_CHUNK_CHUNKOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Chunk_Dialect : Dialect {
  let name = "chunk";
  let cppNamespace = "::trowel::chunk";
  let summary = "A head's work over a chunk of tokens, as matrix products";
  let description = [{
    A tile is a tensor whose first named axis is `t`, the tokens of a chunk. The
    operations of `rec` work on tiles too and mean the same for every token:
    `rec.map`, `rec.contract`, `rec.reduce`, `rec.rename`, `rec.pick`,
    `rec.stack`, `rec.repeat`, `rec.cast`, `rec.stop`, `rec.constant`; `rec.input`,
    `rec.position`, `rec.output` have the chunk's tokens as rows, `rec.delay`
    remembers the tokens before the chunk, `rec.state` and `rec.update` are a
    state as the chunk begins and ends. `rec.contract` over axes that are not
    `t` is a matrix product of tiles.

    The last chunk of a sequence may have n < C tokens. Rows from n on are
    absent: no result depends on them; a sum or maximum over `t` or `t.s` takes
    those that are present.

    Axes of the dialect's own: `t` (token), `t.r` (row within a token), `t.s`
    (earlier token), `t.w` (write within a token).
  }];
  let dependentDialects = ["::trowel::rec::RecDialect"];
}

def Chunk_Tile : TensorOf<[F32, I32, I1]>;

class Chunk_Op<string mnemonic, list<Trait> traits = []>
    : Op<Chunk_Dialect, mnemonic, traits>;

def Chunk_ProgramOp : Chunk_Op<"program", [
    IsolatedFromAbove, SingleBlock, NoTerminator, NoRegionArguments, Symbol]> {
  let summary = "holds what one head does over one chunk";
  let description = [{
    `tokens` is the chunk size C. The chunks of a sequence run one after the
    other, joined by the states and the delays. A program with the attribute
    `saves` keeps, as each chunk begins, its states and what its delays remember,
    for a program with the attribute `backward`, whose chunks run from the last to
    the first.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$tokens,
                       StrArrayAttr:$axes, DenseI64ArrayAttr:$sizes);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `tokens` $tokens `axes` $axes `sizes` $sizes
    attr-dict-with-keyword $body
  }];
}

// Every operation below takes the transition of a stage's m states as `phi`
// with `phi_blocks`, pairs (to, from): Phi_t[to, from], a tile on key axes (or
// only on `t`: the same factor for all channels). No `phi` at all is the
// identity; an absent block is zero. Products of factors are multiplied in
// token order; nothing is divided and no logarithm is taken.
//
// A state's key axes are those of the tiles given for it (rows, keys, results),
// of the blocks that lead to it, and of the states that these come from. A tile
// that lacks one is the same along it, and counts so in a sum over it.

def Chunk_PullOp : Chunk_Op<"pull", [Pure, AttrSizedOperandSegments]> {
  let summary = "carries a row's coefficients back to the chunk's start";
  let description = [{
    `F_t = B_t Phi_{t-1} ... Phi_0`: then row t reads `F_t @ S` from the states
    as the chunk begins. One result for each of `result_states`.
  }];
  let arguments = (ins Variadic<Chunk_Tile>:$phi, DenseI64ArrayAttr:$phi_blocks,
                       Variadic<Chunk_Tile>:$row, DenseI64ArrayAttr:$row_states,
                       DenseI64ArrayAttr:$result_states);
  let results = (outs Variadic<Chunk_Tile>:$results);
  let assemblyFormat = [{
    `phi` `(` ($phi^ `:` type($phi))? `)` $phi_blocks
    `row` `(` ($row^ `:` type($row))? `)` $row_states
    `to` $result_states attr-dict `->` type($results)
  }];
}

def Chunk_PushOp : Chunk_Op<"push", [Pure, AttrSizedOperandSegments]> {
  let summary = "carries a write's key on to the chunk's end";
  let description = [{
    `Kh_s = Phi_{n-1} ... Phi_{s+1} kappa_s`. One result for each of
    `result_states`.
  }];
  let arguments = (ins Variadic<Chunk_Tile>:$phi, DenseI64ArrayAttr:$phi_blocks,
                       Variadic<Chunk_Tile>:$key, DenseI64ArrayAttr:$key_states,
                       DenseI64ArrayAttr:$result_states);
  let results = (outs Variadic<Chunk_Tile>:$results);
  let assemblyFormat = [{
    `phi` `(` ($phi^ `:` type($phi))? `)` $phi_blocks
    `key` `(` ($key^ `:` type($key))? `)` $key_states
    `to` $result_states attr-dict `->` type($results)
  }];
}

def Chunk_TotalOp : Chunk_Op<"total", [Pure]> {
  let summary = "multiplies the transitions of a whole chunk";
  let description = [{
    `Phi_{n-1} ... Phi_0`, one result for each pair (to, from) of
    `result_blocks`, without the axis `t`.
  }];
  let arguments = (ins Variadic<Chunk_Tile>:$phi, DenseI64ArrayAttr:$phi_blocks,
                       DenseI64ArrayAttr:$result_blocks);
  let results = (outs Variadic<Chunk_Tile>:$results);
  let assemblyFormat = [{
    `phi` `(` ($phi^ `:` type($phi))? `)` $phi_blocks
    `to` $result_blocks attr-dict `->` type($results)
  }];
}

def Chunk_GramOp : Chunk_Op<"gram", [Pure, AttrSizedOperandSegments]> {
  let summary = "multiplies rows with earlier writes' keys, decayed between";
  let description = [{
    `G[t, r, s, w] = B_{t,r} Phi_{t-1} ... Phi_{s+1} kappa_{s,w}` for s < t,
    summed over states and key axes; `within` at s = t; zero for s > t.
    `row_index` lists pairs (r, state) for `rows`, `key_index` pairs (w, state)
    for `keys`, `within_index` pairs (r, w) for `within`, tiles on `t` alone.
    Result: a tile on `t`, `t.r`, `t.s`, `t.w`.
  }];
  let arguments = (ins Variadic<Chunk_Tile>:$phi, DenseI64ArrayAttr:$phi_blocks,
                       Variadic<Chunk_Tile>:$rows, DenseI64ArrayAttr:$row_index,
                       Variadic<Chunk_Tile>:$keys, DenseI64ArrayAttr:$key_index,
                       Variadic<Chunk_Tile>:$within, DenseI64ArrayAttr:$within_index);
  let results = (outs Chunk_Tile:$result);
  let assemblyFormat = [{
    `phi` `(` ($phi^ `:` type($phi))? `)` $phi_blocks
    `rows` `(` ($rows^ `:` type($rows))? `)` $row_index
    `keys` `(` ($keys^ `:` type($keys))? `)` $key_index
    `within` `(` ($within^ `:` type($within))? `)` $within_index
    attr-dict `->` type($result)
  }];
}

def Chunk_SolveOp : Chunk_Op<"solve", [Pure]> {
  let summary = "solves a unit lower triangular system for the rows";
  let description = [{
    `U = X + M U` with `M` on `t, t.r, t.s, t.w`, strictly lower triangular in
    token-major rows, and `X`, `U` on `t`, `t.r` and value axes. With `decay`, a
    tile `g` on `t` and value axes, `U_t = X_t + sum_s M[t, s] D(t, s) U_s` where
    `D(t, s)` is the product of `g` over s < x < t, times `g_t` if `inclusive` is
    `row`, times `g_s` if it is `column`; within a token D is one.
  }];
  let arguments = (ins Chunk_Tile:$matrix, Chunk_Tile:$rhs,
                       Optional<Chunk_Tile>:$decay,
                       DefaultValuedStrAttr<StrAttr, "none">:$inclusive);
  let results = (outs Chunk_Tile:$result);
  let assemblyFormat = [{
    $matrix `,` $rhs (`decay` $decay^ `:` type($decay))? attr-dict
    `:` type($matrix) `,` type($rhs) `->` type($result)
  }];
}

def Chunk_InverseOp : Chunk_Op<"inverse", [Pure]> {
  let summary = "inverts a unit lower triangular matrix";
  let description = [{
    `T = (I - M)^-1` with `M` and `T` on `t, t.r, t.s, t.w`, as many of `t.r` as
    of `t.w`, strictly lower triangular in token-major rows: what reaches row
    (t, r) from row (s, w) through any number of rows between.
  }];
  let arguments = (ins Chunk_Tile:$matrix);
  let results = (outs Chunk_Tile:$result);
  let assemblyFormat = "$matrix attr-dict `:` type($matrix) `->` type($result)";
}

def Chunk_ApplyOp : Chunk_Op<"apply", [Pure, AttrSizedOperandSegments]> {
  let summary = "applies a causal matrix to keys that decay on their way";
  let description = [{
    `Y[t, r] = sum over s < t and w of G[t, r, s, w] Phi_{t-1} ... Phi_{s+1} kappa_{s,w}`,
    one result for each of `result_states`, on `t`, `t.r` and that state's axes.
    With value axes in place of key axes this is the product of a decayed
    triangle with the rows.
  }];
  let arguments = (ins Variadic<Chunk_Tile>:$phi, DenseI64ArrayAttr:$phi_blocks,
                       Chunk_Tile:$matrix,
                       Variadic<Chunk_Tile>:$keys, DenseI64ArrayAttr:$key_index,
                       DenseI64ArrayAttr:$result_states);
  let results = (outs Variadic<Chunk_Tile>:$results);
  let assemblyFormat = [{
    `phi` `(` ($phi^ `:` type($phi))? `)` $phi_blocks
    $matrix `:` type($matrix)
    `keys` `(` ($keys^ `:` type($keys))? `)` $key_index
    `to` $result_states attr-dict `->` type($results)
  }];
}

def Chunk_ReverseOp : Chunk_Op<"reverse", [Pure]> {
  let summary = "turns the order of the chunk's tokens around";
  let description = [{ Row t of the result is row n - 1 - t of the operand. }];
  let arguments = (ins Chunk_Tile:$tile);
  let results = (outs Chunk_Tile:$result);
  let assemblyFormat = "$tile attr-dict `:` type($tile) `->` type($result)";
}

def Chunk_TransitionGradientOp : Chunk_Op<"transition_gradient", [Pure, AttrSizedOperandSegments]> {
  let summary = "yields the gradient of one state's transition";
  let description = [{
    A state and its gradient, with `phi` on `t` and axes A of theirs:

        S_t = phi_t * S_{t-1} + sum_w kappa_{t,w} x_{t,w}
        dS_{t-1} = phi_t * dS_t + sum_r B_{t,r} y_{t,r}

    The result, on `t` and A, is `dS_t * S_{t-1}` summed over all other axes. All
    that it needs of states and vectors are such sums of their products, with S
    as the chunk begins and dS as it ends:

        corner   dS * S, on A
        ends     sum_w dS * kappa_{t,w} x_{t,w}, on t and A
        starts   sum_r S * B_{t,r} y_{t,r}, on t and A

    and of reads with earlier keys `B_{u,r} matrix_r[u, 0, s, w] kappa_{s,w}`: a
    matrix on `t, t.r, t.s, t.w` for each of `reads`, zero for s >= u, with a
    column for each of `keys`; what reads and keys lack of A is in the matrix.
  }];
  let arguments = (ins Chunk_Tile:$phi, Chunk_Tile:$corner, Chunk_Tile:$ends,
                       Chunk_Tile:$starts, Variadic<Chunk_Tile>:$reads,
                       Variadic<Chunk_Tile>:$matrices,
                       Variadic<Chunk_Tile>:$keys);
  let results = (outs Chunk_Tile:$result);
  let assemblyFormat = [{
    $phi `corner` $corner `ends` $ends `starts` $starts
    `reads` `(` $reads `)` `with` `(` $matrices `)` `keys` `(` $keys `)`
    attr-dict `:` type($phi) `,` type($corner) `,` type($ends) `,`
    type($starts) `,` `(` type($reads) `)` `,` `(` type($matrices) `)` `,`
    `(` type($keys) `)` `->` type($result)
  }];
}

def Chunk_SequentialOp : Chunk_Op<"sequential", [SingleBlock, RecursiveMemoryEffects]> {
  let summary = "runs a stage token after token within the chunk";
  let description = [{
    The block's arguments are the states; they begin as `states`. For each of
    the chunk's tokens the block computes, from them and from the rows that
    `chunk.token` takes of tiles, the states after the token and the values to
    export, in that order, and ends with `chunk.yield`. Results: the states as
    the chunk ends, then a tile for each exported value. `reverse`: the tokens
    come from the last to the first, and the states end where the chunk begins.
  }];
  let arguments = (ins Variadic<Chunk_Tile>:$states, UnitAttr:$scan,
                       UnitAttr:$reverse);
  let results = (outs Variadic<Chunk_Tile>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`scan` $scan^)? (`reverse` $reverse^)? $states attr-dict-with-keyword
    `:` type($states) `->` type($results) $body
  }];
}

def Chunk_TokenOp : Chunk_Op<"token", [Pure, ParentOneOf<["SequentialOp"]>]> {
  let summary = "takes this token's row of a tile";
  let arguments = (ins Chunk_Tile:$tile);
  let results = (outs Chunk_Tile:$result);
  let assemblyFormat = "$tile attr-dict `:` type($tile) `->` type($result)";
}

def Chunk_YieldOp : Chunk_Op<"yield", [Terminator, Pure, ParentOneOf<["SequentialOp"]>]> {
  let summary = "ends a token of a sequential stage";
  let arguments = (ins Variadic<Chunk_Tile>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // TROWEL_DIALECT_CHUNK_CHUNKOPS_TD
