// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "dialect/Reference/ChunkInterpreter.h"

#include "dialect/Chunk/HeadReduction.h"
#include "dialect/Reference/Machine.h"

namespace trowel {

TensorMap evaluateChunks(chunk::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments) {
  return interpreter::Machine(program, batch, arguments).run();
}

TensorMap evaluateChunks(mlir::ModuleOp module, const Batch &batch,
                         const TensorMap &arguments) {
  TensorMap known = arguments, results;
  for (auto program : module.getOps<chunk::ProgramOp>()) {
    if (program->hasAttr("backward") || program->hasAttr("beginning"))
      continue;
    results = evaluateChunks(program, batch, known);
    for (const HeadReduction &reduction : headReductions(program))
      known[reduction.name] =
          reduceHeads(reduction, results.at(reduction.name), batch);
  }
  return results;
}

namespace {

/// The gradients of a module's programs, from the last to the first.
class BackwardRun {
public:
  BackwardRun(mlir::ModuleOp module, const Batch &batch,
              const TensorMap &arguments, const TensorMap &seeds)
      : batch(batch), known(arguments), seeds(seeds) {
    for (auto program : module.getOps<chunk::ProgramOp>())
      (program->hasAttr("backward")    ? backward
       : program->hasAttr("beginning") ? beginning
                                       : forward)
          .push_back(program);
  }

  TensorMap run();

private:
  TensorMap argumentsOf(size_t phase);
  void take(chunk::ProgramOp program, const TensorMap &results);
  void passOnBeginning(chunk::ProgramOp program);

  const Batch &batch;
  TensorMap known, seeds, gradients;
  std::vector<chunk::ProgramOp> forward, backward, beginning;
  std::vector<TensorMap> forwardResults;
};

void accumulate(TensorMap &sums, const std::string &name, const Tensor &term) {
  auto [it, isNew] = sums.try_emplace(name, term);
  for (size_t i = 0; !isNew && i < term.data.size(); ++i)
    it->second.data[i] += term.data[i];
}

TensorMap BackwardRun::argumentsOf(size_t phase) {
  TensorMap arguments = known;
  for (const auto &[name, tensor] : forwardResults[phase]) {
    if (llvm::StringRef(name).starts_with("saved.")) {
      arguments[name] = tensor;
      continue;
    }
    bool isState = false;
    for (auto state : forward[phase].getBody().getOps<rec::StateOp>())
      isState |= state.getName() == name;
    // Earlier programs have the states for their own use.
    auto seed = seeds.find("d" + name);
    if (seed != seeds.end() && (!isState || phase + 1 == forward.size()))
      arguments["d" + name] = seed->second;
    else if (!isState)
      arguments["d" + name] = Tensor(tensor.shape, 0);
  }
  return arguments;
}

void BackwardRun::take(chunk::ProgramOp program, const TensorMap &results) {
  for (const auto &[name, tensor] : results) {
    bool isState = false;
    for (auto state : program.getBody().getOps<rec::StateOp>())
      isState |= state.getName() == name;
    if (llvm::StringRef(name).starts_with("dheads."))
      accumulate(seeds, name + ".reduced", tensor);
    else
      accumulate(gradients, isState ? name + "0" : name, tensor);
  }
}

/// A state that the caller gave begins with nothing declared.
void BackwardRun::passOnBeginning(chunk::ProgramOp program) {
  Batch sequences = batch;
  sequences.batch = 1;
  sequences.tokens = batch.sequences();
  sequences.cuSeqlens.clear();
  TensorMap arguments = known;
  for (auto input : program.getBody().getOps<rec::InputOp>()) {
    std::string name = input.getName().str();
    Tensor gradient = gradients.at(name);
    if (known.count(name.substr(1, name.size() - 2)))
      gradient.data.assign(gradient.data.size(), 0);
    gradient.shape.insert(gradient.shape.begin(), 1);
    arguments[name] = std::move(gradient);
  }
  take(program, evaluateChunks(program, sequences, arguments));
}

TensorMap BackwardRun::run() {
  for (chunk::ProgramOp program : forward) {
    forwardResults.push_back(evaluateChunks(program, batch, known));
    for (const HeadReduction &reduction : headReductions(program))
      known[reduction.name] = reduceHeads(
          reduction, forwardResults.back().at(reduction.name), batch);
  }
  for (size_t phase = forward.size(); phase-- > 0;) {
    for (const HeadReduction &reduction : headReductions(forward[phase])) {
      auto gradient = seeds.find("d" + reduction.name + ".reduced");
      if (gradient != seeds.end())
        seeds["d" + reduction.name] =
            unreduceHeads(reduction, forwardResults[phase].at(reduction.name),
                          known.at(reduction.name), gradient->second, batch);
    }
    take(backward[phase],
         evaluateChunks(backward[phase], batch, argumentsOf(phase)));
  }
  for (chunk::ProgramOp program : beginning)
    passOnBeginning(program);
  return std::move(gradients);
}

} // namespace

TensorMap evaluateGradients(mlir::ModuleOp module, const Batch &batch,
                            const TensorMap &arguments,
                            const TensorMap &seeds) {
  return BackwardRun(module, batch, arguments, seeds).run();
}

TensorMap evaluateTokens(rec::ProgramOp program, const Batch &batch,
                         const TensorMap &arguments) {
  return interpreter::Machine(program, batch, arguments).run();
}

} // namespace trowel
