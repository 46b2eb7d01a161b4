// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
#include "codegen/Library/Tables.h"

#include <algorithm>
#include <numeric>

namespace trowel::library {
namespace {

ElementType elementType(DType type) {
  switch (type) {
  case DType::F32:
    return ElementType::F32;
  case DType::TF32:
    return ElementType::TF32;
  case DType::BF16:
    return ElementType::BF16;
  case DType::F16:
    return ElementType::F16;
  case DType::E4M3:
    return ElementType::E4M3;
  case DType::E5M2:
    return ElementType::E5M2;
  case DType::I32:
    return ElementType::I32;
  }
  llvm_unreachable("all types are listed");
}

Sharing sharingOf(trowel::Sharing sharing) {
  switch (sharing) {
  case trowel::Sharing::Shared:
    return Sharing::Shared;
  case trowel::Sharing::Grouped:
    return Sharing::Grouped;
  case trowel::Sharing::Head:
    return Sharing::Head;
  }
  llvm_unreachable("all kinds are listed");
}

Sharing sharingOf(rec::SharingKind sharing) {
  switch (sharing) {
  case rec::SharingKind::Shared:
    return Sharing::Shared;
  case rec::SharingKind::Grouped:
    return Sharing::Grouped;
  case rec::SharingKind::Head:
    return Sharing::Head;
  }
  llvm_unreachable("all kinds are listed");
}

Role roleOf(cpu::Argument::Role role) {
  switch (role) {
  case cpu::Argument::Role::Input:
    return Role::Input;
  case cpu::Argument::Role::Param:
    return Role::Param;
  case cpu::Argument::Role::InitialState:
    return Role::InitialState;
  case cpu::Argument::Role::FinalState:
    return Role::FinalState;
  case cpu::Argument::Role::Total:
    return Role::Total;
  case cpu::Argument::Role::Saved:
    return Role::Saved;
  case cpu::Argument::Role::Output:
    return Role::Output;
  }
  llvm_unreachable("all roles are listed");
}

BetweenInfo::Kind kindOf(rec::ReduceKind kind) {
  switch (kind) {
  case rec::ReduceKind::Sum:
    return BetweenInfo::Kind::Sum;
  case rec::ReduceKind::Max:
    return BetweenInfo::Kind::Max;
  case rec::ReduceKind::Mean:
    return BetweenInfo::Kind::Mean;
  }
  llvm_unreachable("all kinds are listed");
}

std::string labelOf(Role role, const std::string &name) {
  std::string quoted = "`" + name + "`";
  if (role == Role::InitialState)
    return "the initial " + quoted;
  if (role == Role::FinalState)
    return "the final " + quoted;
  return role == Role::StateAt ? quoted + " at boundaries" : quoted;
}

std::string symbolOf(Role role, const std::string &name) {
  switch (role) {
  case Role::Input:
    return "in_" + name;
  case Role::Param:
    return "param_" + name;
  case Role::Output:
    return "out_" + name;
  case Role::InitialState:
    return "state_in_" + name;
  case Role::FinalState:
    return "state_out_" + name;
  case Role::StateAt:
    return "state_at_" + name;
  case Role::Total:
  case Role::Saved:
  case Role::Unused:
    break;
  }
  llvm_unreachable("all roles are listed");
}

int64_t productOf(const std::vector<int64_t> &sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t(1),
                         std::multiplies<int64_t>());
}

/// The layout with the last two axes exchanged.
std::string describeTurned(const Program &program, Declaration declaration,
                           Boundary boundary) {
  if (size_t rank = declaration.shape.size(); rank >= 2)
    std::swap(declaration.shape[rank - 1], declaration.shape[rank - 2]);
  return describeLayout(program, declaration, boundary);
}

/// A state's tensor at boundaries has M where others have N.
std::string layoutAt(Role role, std::string layout) {
  if (role == Role::StateAt)
    layout.replace(layout.find('N'), 1, "M");
  return layout;
}

} // namespace

const char *nameOf(Machine machine) {
  switch (machine) {
  case Machine::Host:
    return "host";
  case Machine::Avx2:
    return "avx2";
  case Machine::Avx512:
    return "avx512";
  }
  llvm_unreachable("all machines are listed");
}

Tables::Tables(const Program &program, std::vector<CompiledPhase> phases,
               std::vector<Machine> machines, Direction direction,
               bool hasGradient)
    : which(direction), hasGradient(hasGradient), phaseList(std::move(phases)),
      machineList(std::move(machines)) {
  addDeclarations(program, program.inputs, Role::Input, Boundary::Input);
  addDeclarations(program, program.params, Role::Param, Boundary::Param);
  addDeclarations(program, program.outputs, Role::Output, Boundary::Output);
  addDebugValues();
  for (Role role : {Role::InitialState, Role::FinalState, Role::StateAt})
    addDeclarations(program, program.states, role, Boundary::State);
  if (hasGradient)
    addGradients(program);
  addBetweens();
  addSums();
  int64_t chunkTokens = 1, carryBytes = 0;
  for (const CompiledPhase &phase : phaseList) {
    addPhase(phase);
    chunkTokens = std::lcm(chunkTokens, phase.chunkTokens);
    carryBytes += phase.isBackward || phase.isBeginning ? 0 : phase.carryBytes;
  }
  std::vector<int64_t> stateElements;
  for (const TensorEntry &entry : entries)
    if (entry.role == Role::InitialState && !entry.isGradient)
      stateElements.push_back(productOf(entry.sizes));
  auto count = [](const auto &list) {
    return static_cast<int64_t>(list.size());
  };
  programInfo.name = keep(program.name);
  programInfo.tensors = tensorInfos.data();
  programInfo.tensorCount = count(tensorInfos);
  programInfo.stateCount = count(stateElements);
  programInfo.stateElements = keep(std::move(stateElements));
  programInfo.betweens = betweenInfos.data();
  programInfo.betweenCount = count(betweenInfos);
  programInfo.phases = phaseInfos.data();
  programInfo.phaseCount = count(phaseInfos);
  programInfo.machines = machineList.data();
  programInfo.machineCount = count(machineList);
  programInfo.chunkTokens = chunkTokens;
  programInfo.carryBytes = carryBytes;
  programInfo.sums = sumInfos.data();
  programInfo.sumCount = count(sumInfos);
  programInfo.saved = savedInfos.data();
  programInfo.savedCount = count(savedInfos);
}

void Tables::addKernels(DeviceKernels kernels) {
  device = std::move(kernels);
  for (const cuda::KernelInfo *kernel : {&device->forward, &device->step})
    kernelInfos.push_back({kernel->name.c_str(), kernel->threads,
                           kernel->sharedBytes, kernel->workspaceBytes});
  for (const DeviceImage &image : device->images)
    imageInfos.push_back({image.chip.name.c_str(), image.chip.capability,
                          image.chip.isExact,
                          image.cubin.empty() ? nullptr : image.cubin.data(),
                          image.ptx.c_str()});
  deviceCode.forward = &kernelInfos[0];
  deviceCode.step = &kernelInfos[1];
  deviceCode.images = imageInfos.data();
  deviceCode.imageCount = static_cast<int64_t>(imageInfos.size());
  programInfo.device = &deviceCode;
}

const char *Tables::keep(std::string text) {
  return texts.emplace_back(std::move(text)).c_str();
}

const int64_t *Tables::keep(std::vector<int64_t> list) {
  return numbers.emplace_back(std::move(list)).data();
}

//===--- Tensors of the call ----------------------------------------------===//

int64_t Tables::findAny(Role role, const std::string &name) const {
  for (size_t i = 0; i < entries.size(); ++i)
    if (entries[i].role == role && entries[i].name == name)
      return static_cast<int64_t>(i);
  return -1;
}

int64_t Tables::find(Role role, const std::string &name) const {
  for (size_t i = 0; i < entries.size(); ++i)
    if (entries[i].isUsed && entries[i].role == role && entries[i].name == name)
      return static_cast<int64_t>(i);
  return -1;
}

void Tables::addTensor(TensorEntry entry, std::string layoutValueFirst) {
  TensorInfo info;
  info.label = keep(entry.isGradient ? "`" + entry.symbol + "`"
                                     : labelOf(entry.role, entry.name));
  info.layout = keep(entry.layout);
  info.layoutValueFirst = keep(std::move(layoutValueFirst));
  info.role = entry.isUsed ? entry.role : Role::Unused;
  info.isOptional = entry.isGradient;
  info.type = elementType(entry.dtype);
  info.sharing = entry.sharing;
  info.state = entry.state;
  info.rank = static_cast<int64_t>(entry.sizes.size());
  info.sizes = keep(entry.sizes);
  tensorInfos.push_back(info);
  entries.push_back(std::move(entry));
}

void Tables::addDeclarations(const Program &program,
                             const std::vector<Declaration> &list, Role role,
                             Boundary boundary) {
  int64_t number = 0;
  for (const Declaration &declaration : list) {
    TensorEntry entry;
    entry.symbol = symbolOf(role, declaration.name);
    entry.name = declaration.name;
    entry.role = role;
    bool isResult = role == Role::Output || role == Role::FinalState ||
                    role == Role::StateAt;
    entry.isUsed = which == Direction::Forward || !isResult;
    entry.sharing = sharingOf(declaration.sharing);
    entry.dtype = declaration.dtype;
    entry.state = boundary == Boundary::State ? number++ : -1;
    for (AxisId axis : declaration.shape) {
      entry.axes.push_back(program.axes[static_cast<size_t>(axis)].name);
      entry.sizes.push_back(program.axes[static_cast<size_t>(axis)].size);
    }
    entry.range = declaration.range;
    entry.layout =
        layoutAt(role, describeLayout(program, declaration, boundary));
    addTensor(std::move(entry),
              layoutAt(role, describeTurned(program, declaration, boundary)));
  }
}

/// Gradients that the caller gives, of outputs and final states; then those it
/// gets, of inputs, params and initial states. Integers have none.
void Tables::addGradients(const Program &program) {
  struct Kind {
    const std::vector<Declaration> *list;
    Role of, role;
    Boundary boundary;
  } kinds[] = {
      {&program.outputs, Role::Output, Role::Input, Boundary::Output},
      {&program.states, Role::FinalState, Role::InitialState, Boundary::State},
      {&program.inputs, Role::Input, Role::Output, Boundary::Input},
      {&program.params, Role::Param, Role::Total, Boundary::Param},
      {&program.states, Role::InitialState, Role::FinalState, Boundary::State}};
  for (const Kind &kind : kinds)
    for (const Declaration &declaration : *kind.list) {
      if (declaration.dtype == DType::I32)
        continue;
      TensorEntry entry = entries[findAny(kind.of, declaration.name)];
      entry.symbol = "grad_" + entry.symbol;
      entry.name = "d" + declaration.name;
      entry.role = kind.role;
      entry.isGradient = true;
      entry.isUsed = which == Direction::Backward;
      entry.range.reset();
      addTensor(std::move(entry),
                describeTurned(program, declaration, kind.boundary));
    }
}

/// Values of `debug(x)` are outputs of the last phase without a declaration.
void Tables::addDebugValues() {
  for (const cpu::Argument &argument : phaseList.back().arguments) {
    if (!argument.debug || which == Direction::Backward)
      continue;
    TensorEntry entry;
    entry.symbol = argument.name; // debug.0
    std::replace(entry.symbol.begin(), entry.symbol.end(), '.', '_');
    entry.name = argument.name;
    entry.role = Role::Output;
    entry.sharing = sharingOf(argument.sharing);
    entry.dtype =
        argument.dtype == rec::DTypeKind::I32 ? DType::I32 : DType::F32;
    entry.sizes = argument.sizes;
    entry.layout = "[B, T";
    if (entry.sharing != Sharing::Shared)
      entry.layout += entry.sharing == Sharing::Head ? ", H" : ", G";
    for (int64_t size : entry.sizes) {
      entry.axes.push_back("");
      entry.layout += ", " + std::to_string(size);
    }
    entry.layout += "]";
    addTensor(std::move(entry), "");
  }
}

//===--- Phases -----------------------------------------------------------===//

/// Of a state or its gradient.
int64_t Tables::stateNumber(const std::string &name) const {
  for (const TensorEntry &entry : entries)
    if (entry.role == Role::InitialState && entry.name == name)
      return entry.state;
  llvm_unreachable("every state is declared");
}

int64_t Tables::findBetween(const std::string &name) const {
  for (size_t i = 0; i < betweenNames.size(); ++i)
    if (betweenNames[i] == name)
      return static_cast<int64_t>(i);
  return -1;
}

void Tables::addBetweens() {
  for (size_t phase = 0; phase < phaseList.size(); ++phase)
    for (const HeadReduction &reduction : phaseList[phase].reductions)
      for (const cpu::Argument &argument : phaseList[phase].arguments) {
        if (argument.role != cpu::Argument::Role::Output ||
            argument.name != reduction.name)
          continue;
        BetweenInfo info;
        info.kind = kindOf(reduction.kind);
        info.to = sharingOf(reduction.to);
        info.isInteger = reduction.integer;
        info.rank = static_cast<int64_t>(argument.sizes.size());
        info.sizes = keep(argument.sizes);
        info.elements = productOf(argument.sizes);
        info.phase = static_cast<int64_t>(phase);
        betweenInfos.push_back(info);
        betweenNames.push_back(reduction.name);
      }
}

//===--- Gradients --------------------------------------------------------===//

/// A backward phase's result has a sum of its own if it is not the only part,
/// is wanted by a later phase, or is the gradient of what reductions made.
void Tables::addSums() {
  struct Found {
    const cpu::Argument *argument;
    int64_t parts = 0;
    bool isKept = false;
  };
  std::vector<Found> found;
  auto findName = [&](const std::string &name) {
    return llvm::find_if(
        found, [&](const Found &x) { return x.argument->name == name; });
  };
  using Given = cpu::Argument::Role;
  for (const CompiledPhase &phase : phaseList)
    for (const cpu::Argument &argument : phase.arguments) {
      bool isResult = argument.role == Given::Output ||
                      argument.role == Given::Total ||
                      argument.role == Given::FinalState;
      if (phase.isBeginning && argument.role == Given::Input) {
        std::string state = argument.name; // dS0
        state.pop_back();
        findName(state)->isKept = true;
      }
      if (!(phase.isBackward || phase.isBeginning) || !isResult)
        continue;
      auto it = findName(argument.name);
      if (it == found.end())
        it = found.insert(found.end(), {&argument});
      ++it->parts;
    }
  for (const Found &x : found) {
    const cpu::Argument &argument = *x.argument;
    int64_t between = findBetween(argument.name.substr(1));
    bool isAlone = x.parts == 1 && argument.role != Given::Total &&
                   argument.sharing == rec::SharingKind::Head && !x.isKept;
    if (isAlone && between < 0)
      continue;
    SumInfo info;
    info.role = roleOf(argument.role);
    info.between = between;
    info.tensor = between >= 0 ? -1 : find(info.role, argument.name);
    info.isKept = x.isKept;
    info.to =
        between >= 0 ? betweenInfos[between].to : sharingOf(argument.sharing);
    info.rank = static_cast<int64_t>(argument.sizes.size());
    info.sizes = keep(argument.sizes);
    info.elements = productOf(argument.sizes);
    info.parts = x.parts;
    info.phase = 0;
    for (size_t i = 0; i < phaseList.size(); ++i)
      for (const cpu::Argument &part : phaseList[i].arguments)
        if (part.name == argument.name && part.role == argument.role)
          info.phase = static_cast<int64_t>(i);
    sumInfos.push_back(info);
    sumNames.push_back(argument.name);
  }
}

/// What an argument of a backward phase is.
void Tables::addBackward(const cpu::Argument &argument,
                         const CompiledPhase &phase, ArgumentInfo &info) {
  auto sumCalled = [&](const std::string &name) {
    auto it = llvm::find(sumNames, name);
    return it == sumNames.end() ? int64_t(-1) : it - sumNames.begin();
  };
  if (!argument.isGradient)
    return;
  info.isPartial = true;
  bool isResult = info.role != Role::Input && info.role != Role::InitialState;
  if (isResult) {
    info.sum = sumCalled(argument.name);
    if (info.sum >= 0)
      info.part = partsTaken[argument.name]++;
    return;
  }
  if (phase.isBeginning) {
    std::string state = argument.name.substr(0, argument.name.size() - 1);
    info.sum = sumCalled(state);
    info.tensor = find(Role::InitialState, state.substr(1));
  } else if (findBetween(argument.name.substr(1)) >= 0) {
    info.sum = sumCalled(argument.name);
    info.isPartial = false;
    info.tensor = -1;
  }
}

//===--- Arguments --------------------------------------------------------===//

/// Where a phase's part of a head's carry begins.
int64_t Tables::carryPlaceOf(const CompiledPhase &phase) const {
  int64_t place = 0;
  for (const CompiledPhase &other : phaseList)
    if (!other.isBackward && !other.isBeginning && other.source < phase.source)
      place += other.carryBytes;
  return place;
}

/// The last program of the forward function has all states and outputs.
bool Tables::isLastForward(const CompiledPhase &phase) const {
  for (const CompiledPhase &other : phaseList)
    if (other.source > phase.source)
      return false;
  return true;
}

ArgumentInfo Tables::argumentOf(const cpu::Argument &argument, int64_t columns,
                                const CompiledPhase &phase) {
  ArgumentInfo info = {};
  info.role = roleOf(argument.role);
  info.between = findBetween(argument.name);
  info.tensor = info.between >= 0 ? -1 : find(info.role, argument.name);
  info.state = info.at = info.sum = -1;
  info.sharing = sharingOf(argument.sharing);
  info.columns = columns;
  if (info.role == Role::Saved)
    info.part = phase.source;
  if (info.role == Role::InitialState || info.role == Role::FinalState)
    info.state = stateNumber(argument.name);
  // An earlier phase has the states of what it reduces; the last has them all.
  bool isLast = isLastForward(phase);
  if (phase.isBackward || phase.isBeginning) {
    if (info.role == Role::InitialState && !isLast)
      info.tensor = -1;
    addBackward(argument, phase, info);
  } else if (info.role == Role::FinalState) {
    if (isLast)
      info.at = find(Role::StateAt, argument.name);
    else
      info.tensor = -1;
  }
  return info;
}

void Tables::addPhase(const CompiledPhase &phase) {
  std::vector<ArgumentInfo> &list = arguments.emplace_back();
  for (auto [argument, columns] : llvm::zip(phase.arguments, phase.columns))
    list.push_back(argumentOf(argument, columns, phase));
  std::vector<DivisionInfo> &parts = divisions.emplace_back();
  auto add = [&](const CompiledDivision &division) {
    parts.push_back({division.parts, division.work, division.codes.data(),
                     division.carried.data(),
                     static_cast<int64_t>(division.carried.size())});
  };
  for (const CompiledDivision &division : phase.divisions)
    add(division);
  auto count = static_cast<int64_t>(parts.size());
  bool hasStep = !phase.step.codes.empty();
  if (hasStep)
    add(phase.step);
  const MapInfo *map = nullptr;
  if (phase.map)
    map = &maps.emplace_back(
        MapInfo{phase.map->size, phase.map->work, phase.map->codes.data()});
  phaseInfos.push_back({list.data(), static_cast<int64_t>(list.size()),
                        parts.data(), count, hasStep ? &parts.back() : nullptr,
                        map, phase.carryBytes, carryPlaceOf(phase),
                        phase.isBeginning});
  if (phase.savedBytes > 0 && !phase.isBackward)
    savedInfos.push_back({phase.savedBytes, phase.chunkTokens});
}

} // namespace trowel::library
