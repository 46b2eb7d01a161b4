// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//

#include "frontend/Grammar/StopAtError.h"

#include <algorithm>

namespace trowel {

bool Failure::isInside(size_t rule) const {
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

static void describePlace(antlr4::Parser *parser, Failure &failure) {
  failure.vocabulary = &parser->getVocabulary();
  failure.rules.clear();
  for (auto *context = parser->getContext(); context;
       context = static_cast<antlr4::ParserRuleContext *>(context->parent))
    failure.rules.push_back(context->getRuleIndex());
}

/// What could follow the tokens that prediction had read when it gave up.
static antlr4::misc::IntervalSet
expectedAfter(const antlr4::atn::ATNConfigSet &configs) {
  antlr4::misc::IntervalSet result;
  for (const auto &config : configs.configs)
    for (const antlr4::atn::Transition *transition : config->state->transitions)
      if (!transition->isEpsilon())
        result.addAll(transition->label());
  return result;
}

void StopAtError::reportError(antlr4::Parser *parser,
                              const antlr4::RecognitionException &error) {
  failure.token = error.getOffendingToken();
  auto *prediction = dynamic_cast<const antlr4::NoViableAltException *>(&error);
  if (prediction && prediction->getDeadEndConfigs())
    failure.expected = expectedAfter(*prediction->getDeadEndConfigs());
  else
    failure.expected = parser->getExpectedTokens();
  describePlace(parser, failure);
}

antlr4::Token *StopAtError::recoverInline(antlr4::Parser *parser) {
  failure.token = parser->getCurrentToken();
  failure.expected = parser->getExpectedTokens();
  describePlace(parser, failure);
  return BailErrorStrategy::recoverInline(parser);
}

} // namespace trowel
