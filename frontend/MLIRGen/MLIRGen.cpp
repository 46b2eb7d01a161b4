// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Declarations and statements; the expressions are in ExprGen.cpp.
#include "frontend/MLIRGen/MLIRGen.h"

#include "frontend/MLIRGen/ExprGen.h"
#include "frontend/MLIRGen/SourceLocation.h"

using namespace trowel::rec;

namespace trowel {
namespace {

class Generator {
public:
  Generator(mlir::MLIRContext &context, const Program &program,
            llvm::StringRef fileName)
      : program(program), fileName(mlir::StringAttr::get(&context, fileName)),
        builder(&context) {}

  mlir::OwningOpRef<mlir::ModuleOp> run();

private:
  const Program &program;
  mlir::StringAttr fileName;
  mlir::OpBuilder builder;

  ProgramOp beginProgram();
  void declareInput(const Declaration &input, ExprGen &values);
  void declareState(const Declaration &state, ExprGen &values);
  void emit(const Statement &statement, ExprGen &values);
  void emitOutput(const Declaration &output, const Statement &statement,
                  ExprGen &values);
  void emitDebug(const Statement &statement, ExprGen &values);
  void emitUpdates(ExprGen &values);

  mlir::Location at(Location location) {
    return mlirLocation(fileName, location);
  }
  mlir::ArrayAttr layoutOf(const Declaration &declaration) {
    return namesOf(declaration.shape);
  }
  mlir::ArrayAttr namesOf(const std::vector<AxisId> &axes);
};

mlir::ArrayAttr Generator::namesOf(const std::vector<AxisId> &axes) {
  llvm::SmallVector<mlir::Attribute> names;
  for (AxisId axis : axes)
    names.push_back(builder.getStringAttr(program.axes[axis].name));
  return builder.getArrayAttr(names);
}

mlir::ArrayAttr declaredRange(mlir::OpBuilder &builder,
                              const Declaration &declaration) {
  if (!declaration.range)
    return {};
  return builder.getF64ArrayAttr(
      {declaration.range->low, declaration.range->high});
}

ProgramOp Generator::beginProgram() {
  llvm::SmallVector<mlir::Attribute> names;
  llvm::SmallVector<int64_t> sizes;
  for (const Axis &axis : program.axes) {
    names.push_back(builder.getStringAttr(axis.name));
    sizes.push_back(axis.size);
  }
  auto op = ProgramOp::create(builder, at({1, 1, 1}), program.name,
                              builder.getArrayAttr(names), sizes);
  builder.createBlock(&op.getBody());
  return op;
}

void Generator::declareInput(const Declaration &input, ExprGen &values) {
  auto op = InputOp::create(
      builder, at(input.location),
      values.type(input.shape, values.elementType(input.dtype)), input.name,
      dtypeKind(input.dtype), sharingKind(input.sharing), layoutOf(input),
      declaredRange(builder, input));
  if (input.scales >= 0)
    op->setAttr("scales",
                builder.getStringAttr(program.inputs[input.scales].name));
  values.inputs.push_back(op);
}

void Generator::declareState(const Declaration &state, ExprGen &values) {
  mlir::Type element = values.elementType(state.dtype);
  mlir::Value initial;
  if (state.initial) {
    values.beginStatement(state.location);
    initial = values.filling(*state.initial, state.shape, element);
  }
  values.states.push_back(StateOp::create(
      builder, at(state.location), values.type(state.shape, element),
      state.name, dtypeKind(state.dtype), sharingKind(state.sharing),
      layoutOf(state), /*hidden=*/false, initial));
}

void Generator::emitOutput(const Declaration &output,
                           const Statement &statement, ExprGen &values) {
  mlir::Type element = statement.value->scalar == Expr::Scalar::Real
                           ? builder.getF32Type()
                           : values.elementType(output.dtype);
  mlir::Value value = values.filling(*statement.value, output.shape, element);
  OutputOp::create(builder, at(statement.location), output.name,
                   dtypeKind(output.dtype), sharingKind(output.sharing),
                   layoutOf(output), /*debug=*/false, value);
}

void Generator::emitDebug(const Statement &statement, ExprGen &values) {
  const Expr &expr = *statement.value;
  bool integer = expr.scalar == Expr::Scalar::Integer;
  DType dtype = integer ? DType::I32 : DType::F32;
  mlir::Value value =
      values.filling(expr, expr.axes, values.elementType(dtype));
  auto op = OutputOp::create(builder, at(statement.location),
                             "debug." + std::to_string(statement.target),
                             dtypeKind(dtype), sharingKind(expr.sharing),
                             namesOf(expr.axes), /*debug=*/true, value);
  op->setAttr("text", builder.getStringAttr(program.debugs[statement.target]));
}

void Generator::emit(const Statement &statement, ExprGen &values) {
  values.beginStatement(statement.location);
  switch (statement.kind) {
  case Statement::Kind::Let:
    values.lets[statement.target] =
        values.named(program.lets[statement.target]);
    return;
  case Statement::Kind::Update: {
    const Declaration &state = program.states[statement.target];
    values.states[statement.target] = values.filling(
        *statement.value, state.shape, values.elementType(state.dtype));
    return;
  }
  case Statement::Kind::Output:
    return emitOutput(program.outputs[statement.target], statement, values);
  case Statement::Kind::Debug:
    return emitDebug(statement, values);
  }
}

/// The place of a state's update is its last one's.
void Generator::emitUpdates(ExprGen &values) {
  for (auto [i, state] : llvm::enumerate(program.states)) {
    Location place = state.location;
    for (const Statement &statement : program.body)
      if (statement.kind == Statement::Kind::Update &&
          statement.target == static_cast<int>(i))
        place = statement.location;
    UpdateOp::create(builder, at(place), state.name, values.states[i]);
  }
  for (const ExprGen::Sum &sum : values.sums)
    UpdateOp::create(builder, sum.location, sum.name, sum.value);
}

mlir::OwningOpRef<mlir::ModuleOp> Generator::run() {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(at({1, 1, 1}));
  builder.setInsertionPointToEnd(module->getBody());
  ProgramOp op = beginProgram();
  ValueBuilder valueBuilder(builder, AxisOrder::around(op));
  ExprGen values(program, valueBuilder, fileName);
  for (const Declaration &input : program.inputs)
    declareInput(input, values);
  for (const Declaration &param : program.params)
    values.params.push_back(ParamOp::create(
        builder, at(param.location),
        values.type(param.shape, values.elementType(param.dtype)), param.name,
        dtypeKind(param.dtype), sharingKind(param.sharing), layoutOf(param),
        declaredRange(builder, param)));
  for (const Declaration &state : program.states)
    declareState(state, values);
  values.lets.resize(program.lets.size());
  for (const Statement &statement : program.body)
    emit(statement, values);
  emitUpdates(values);
  return module;
}

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> generate(mlir::MLIRContext &context,
                                           const Program &program,
                                           llvm::StringRef fileName) {
  context.getOrLoadDialect<RecDialect>();
  return Generator(context, program, fileName).run();
}

} // namespace trowel
