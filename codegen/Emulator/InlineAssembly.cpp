// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inline assembly that NVVM has no operations for: products of warpgroups with
// A in registers, and the fence and the wait with accumulators tied to them
// (PTX ISA 9.7.15). A text consists of these statements, in one block or none:
//
//   .reg .pred p;
//   setp.ne.b32 p, $9, 0;
//   wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16
//       {$0, $1, $2, $3}, {$4, $5, $6, $7} or $4, $8, p, 1, 1, 0, 0;
//   wgmma.fence.sync.aligned;
//   wgmma.commit_group.sync.aligned;
//   wgmma.wait_group.sync.aligned 0;
//
// Results are tied to operands, which pass through where no product adds to
// them. Anything else is refused by name.
#include "codegen/Emulator/Machine.h"
#include "codegen/Emulator/Wgmma.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace trowel::emulator {

namespace {

/// An operand of a statement: names in braces, or one name.
using Group = llvm::SmallVector<llvm::StringRef>;

struct Statement {
  llvm::StringRef name;
  llvm::SmallVector<Group> operands;
};

/// The text of an operation, with the values that it names.
class Assembly {
public:
  Assembly(Decoder &decoder, LLVM::InlineAsmOp op) : decoder(decoder), op(op) {}

  llvm::Error decode();

private:
  llvm::Error refused(const llvm::Twine &reason) { return refuse(op, reason); }
  llvm::Error readConstraints();
  llvm::Error decode(const Statement &statement);
  llvm::Error setPredicate(const Statement &statement);
  llvm::Error multiply(const Statement &statement);
  void passThrough();

  Value value(llvm::StringRef name) const;
  std::optional<unsigned> result(llvm::StringRef name) const;
  std::optional<int64_t> number(llvm::StringRef name) const;
  bool addSlots(const Group &names, std::vector<Slot> &to) const;

  Decoder &decoder;
  LLVM::InlineAsmOp op;
  std::vector<std::optional<unsigned>> tied; // the operand of each result
  std::vector<bool> passes;                  // whether it still is its value
  std::optional<Slot> predicate;
};

} // namespace

static std::vector<Statement> statementsOf(llvm::StringRef text) {
  text = text.trim();
  if (text.consume_front("{"))
    text.consume_back("}");
  std::vector<Statement> statements;
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, ';');
  for (llvm::StringRef part : parts) {
    part = part.trim();
    if (part.empty())
      continue;
    Statement &statement = statements.emplace_back();
    size_t end = part.find_first_of(" \t\n");
    statement.name = part.take_front(end);
    llvm::StringRef rest = part.drop_front(statement.name.size()).trim();
    while (!rest.empty()) {
      bool isGroup = rest.consume_front("{");
      auto [names, left] = rest.split(isGroup ? '}' : ',');
      if (isGroup) {
        left = left.ltrim();
        left.consume_front(",");
      }
      Group &group = statement.operands.emplace_back();
      names.split(group, ',');
      for (llvm::StringRef &name : group)
        name = name.trim();
      rest = left.trim();
    }
  }
  return statements;
}

/// Results come first, then the operands, which may be tied to results.
llvm::Error Assembly::readConstraints() {
  llvm::SmallVector<llvm::StringRef> parts;
  op.getConstraints().split(parts, ',', -1, false);
  unsigned operand = 0;
  for (llvm::StringRef part : parts) {
    unsigned number;
    if (part == "=f" || part == "=r") {
      tied.emplace_back();
      continue;
    }
    if (part.starts_with("~{"))
      continue;
    if (!part.getAsInteger(10, number)) {
      if (number >= tied.size() || tied[number])
        return refused("the constraint '" + part + "' names no result");
      tied[number] = operand;
    } else if (part != "r" && part != "l" && part != "f" && part != "n") {
      return refused("the emulator does not know the constraint '" + part +
                     "'");
    }
    ++operand;
  }
  uint32_t results =
      op.getNumResults() ? slotsOf(op->getResult(0).getType()) : 0;
  if (operand != op->getNumOperands() || results != tied.size())
    return refused("the constraints are not those of the operands");
  for (const std::optional<unsigned> &each : tied)
    if (!each)
      return refused("a result is not tied to an operand");
  for (Value each : op->getOperands())
    if (slotsOf(each.getType()) != 1 && bitsOf(each.getType()) == 0)
      return refused("an operand is no register");
  passes.assign(tied.size(), true);
  return llvm::Error::success();
}

/// The result that `$n` names.
std::optional<unsigned> Assembly::result(llvm::StringRef name) const {
  unsigned number;
  if (!name.consume_front("$") || name.getAsInteger(10, number) ||
      number >= tied.size())
    return std::nullopt;
  return number;
}

/// The operand that `$n` names; null: none.
Value Assembly::value(llvm::StringRef name) const {
  unsigned number;
  if (!name.consume_front("$") || name.getAsInteger(10, number) ||
      number < tied.size() || number - tied.size() >= op->getNumOperands())
    return Value();
  return op->getOperand(number - tied.size());
}

std::optional<int64_t> Assembly::number(llvm::StringRef name) const {
  int64_t plain;
  APInt constant;
  if (!name.getAsInteger(10, plain))
    return plain;
  if (Value named = value(name);
      named && matchPattern(named, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

bool Assembly::addSlots(const Group &names, std::vector<Slot> &to) const {
  for (llvm::StringRef name : names) {
    Value named = value(name);
    if (!named || slotsOf(named.getType()) != 1)
      return false;
    to.push_back(decoder.slot(named));
  }
  return true;
}

llvm::Error Assembly::setPredicate(const Statement &statement) {
  const auto &operands = statement.operands;
  Value from = operands.size() == 3 ? value(operands[1][0]) : Value();
  if (!from || operands[0][0] != "p" || operands[2][0] != "0")
    return refused("only 'setp.ne.b32 p, $n, 0' runs");
  predicate = decoder.slot(from);
  return llvm::Error::success();
}

static std::optional<Element> elementOf(llvm::StringRef name) {
  if (name == "f16")
    return Element::F16;
  if (name == "bf16")
    return Element::BF16;
  if (name == "tf32")
    return Element::TF32;
  return std::nullopt;
}

/// Of "m64n8k16.f32.bf16.bf16".
static bool readShape(llvm::StringRef text, Product &product) {
  unsigned depth;
  if (!text.consume_front("m64n") || text.consumeInteger(10, product.columns) ||
      !text.consume_front("k") || text.consumeInteger(10, depth) ||
      !text.consume_front(".f32."))
    return false;
  auto [a, b] = text.split('.');
  auto element = elementOf(a);
  if (!element || a != b || depth != 32 / bytesOf(*element))
    return false;
  product.element = *element;
  return true;
}

llvm::Error Assembly::multiply(const Statement &statement) {
  auto product = std::make_unique<Product>();
  llvm::StringRef shape = statement.name;
  shape.consume_front("wgmma.mma_async.sync.aligned.");
  if (!readShape(shape, *product))
    return refused("the emulator does not know '" + statement.name + "'");
  const auto &operands = statement.operands;
  bool sixteen = product->element != Element::TF32;
  bool inRegisters = operands.size() > 1 && operands[1].size() == 4;
  // Accumulators, A, B, p, two signs; then which are transposed.
  size_t count = 6 + (!sixteen ? 0 : inRegisters ? 1 : 2);
  auto malformed = [&] {
    return refused("the operands of '" + statement.name +
                   "' are not those that the emulator knows");
  };
  if (operands.size() != count || operands[3][0] != "p" || !predicate)
    return malformed();
  product->adds = predicate;
  for (llvm::StringRef name : operands[0]) {
    auto index = result(name);
    if (!index || !passes[*index])
      return malformed();
    passes[*index] = false;
    product->from.push_back(decoder.slot(op->getOperand(*tied[*index])));
    product->to.push_back(decoder.slot(op->getResult(0)) + *index);
  }
  auto signA = number(operands[4][0]), signB = number(operands[5][0]);
  std::optional<int64_t> transposedA = 0, transposedB = 0;
  if (sixteen)
    transposedB = number(operands.back()[0]);
  if (sixteen && !inRegisters)
    transposedA = number(operands[6][0]);
  auto isSign = [](auto sign) { return sign && (*sign == 1 || *sign == -1); };
  auto isFlag = [](auto flag) { return flag && (*flag == 0 || *flag == 1); };
  if (!isSign(signA) || !isSign(signB) || !isFlag(transposedA) ||
      !isFlag(transposedB))
    return malformed();
  product->negatesA = *signA < 0;
  product->negatesB = *signB < 0;
  std::vector<Slot> a, b;
  if (!addSlots(operands[1], a) || !addSlots(operands[2], b) || b.size() != 1)
    return malformed();
  product->b = {b[0], *transposedB == 1};
  if (inRegisters)
    product->a = a;
  else
    product->sharedA = {a[0], *transposedA == 1};
  return emitProduct(decoder, op, std::move(product));
}

llvm::Error Assembly::decode(const Statement &statement) {
  llvm::StringRef name = statement.name;
  bool alone = statement.operands.empty();
  if (name == ".reg" && statement.operands.size() == 1 &&
      statement.operands[0][0] == ".pred p")
    return llvm::Error::success();
  if (name == "setp.ne.b32")
    return setPredicate(statement);
  if (name.starts_with("wgmma.mma_async."))
    return multiply(statement);
  if (name == "wgmma.fence.sync.aligned" && alone) {
    emitWgmmaFence(decoder, op);
    return llvm::Error::success();
  }
  if (name == "wgmma.commit_group.sync.aligned" && alone) {
    emitWgmmaCommit(decoder, op);
    return llvm::Error::success();
  }
  if (name == "wgmma.wait_group.sync.aligned" && statement.operands.size() == 1)
    if (auto most = number(statement.operands[0][0])) {
      emitWgmmaWait(decoder, op, *most);
      return llvm::Error::success();
    }
  return refused("the emulator does not know '" + name + "' in assembly");
}

namespace {
/// Operands that become results as they are.
struct Passed : Details {
  std::vector<std::pair<Slot, Slot>> moves;
};
} // namespace

static Step pass(Thread &thread, const Instruction &at) {
  for (auto [from, to] : at.as<Passed>().moves)
    if (!thread.move(at, from, to, 1))
      return Step::Failed;
  return Step::Next;
}

void Assembly::passThrough() {
  auto passed = std::make_unique<Passed>();
  for (auto [index, operand] : llvm::enumerate(tied))
    if (passes[index])
      passed->moves.push_back({decoder.slot(op->getOperand(*operand)),
                               decoder.slot(op->getResult(0)) + index});
  if (passed->moves.empty())
    return;
  Instruction &instruction = decoder.emit(op, pass);
  decoder.hasOwnUses(instruction);
  instruction.details = std::move(passed);
}

llvm::Error Assembly::decode() {
  if (llvm::Error error = readConstraints())
    return error;
  for (const Statement &statement : statementsOf(op.getAsmString()))
    if (llvm::Error error = decode(statement))
      return error;
  passThrough();
  return llvm::Error::success();
}

static llvm::Error decodeAssembly(Decoder &decoder, Operation *op) {
  return Assembly(decoder, cast<LLVM::InlineAsmOp>(op)).decode();
}

void addInlineAssembly(Table &table) {
  table["llvm.inline_asm"] = decodeAssembly;
}

} // namespace trowel::emulator
