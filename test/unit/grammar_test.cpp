// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parser: every program of the language parses, with newlines and without;
// precedence and places are as the language says. Messages:
// grammar_errors_test.

#include "SyntaxPrinter.h"
#include "frontend/Grammar/Parser.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

using namespace trowel;

namespace {

std::string rendered(const ParseResult &result, const SourceFile &source) {
  std::string text;
  for (const Diagnostic &diagnostic : result.diagnostics)
    text += render(diagnostic, source);
  return text;
}

syntax::File parsed(const std::string &text) {
  SourceFile source{"test.trowel", text};
  ParseResult result = parse(source);
  EXPECT_EQ(rendered(result, source), "");
  return std::move(result.file);
}

/// The value of `let x = …` with every grouping shown.
std::string grouped(const std::string &expression) {
  syntax::File file = parsed("attention a() { let x = " + expression + "}");
  if (file.attentions.empty())
    return "";
  return syntax::print(file.attentions[0].body[0]->value);
}

syntax::StatementPtr statement(const std::string &text) {
  syntax::File file = parsed("attention a() {\n" + text + "\n}");
  return file.attentions.empty() ? nullptr
                                 : std::move(file.attentions[0].body[0]);
}

std::string read(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Without comments and newlines: what is left must mean the same.
std::string inOneLine(const std::string &text) {
  std::istringstream lines(text);
  std::string line, result;
  while (std::getline(lines, line))
    result += line.substr(0, line.find("//")) + " ";
  return result;
}

std::vector<std::filesystem::path> programs() {
  std::vector<std::filesystem::path> result;
  for (const char *folder : {"/test/language", "/examples"})
    for (auto &entry : std::filesystem::directory_iterator(
             std::string(TROWEL_SOURCE_DIR) + folder))
      if (entry.path().extension() == ".trowel")
        result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

class Programs : public testing::TestWithParam<std::filesystem::path> {};

} // namespace

TEST_P(Programs, Parses) {
  std::string text = read(GetParam());
  syntax::File file = parsed(text);
  EXPECT_FALSE(file.attentions.empty() && file.stacks.empty());
  EXPECT_EQ(syntax::print(parsed(inOneLine(text))), syntax::print(file));
}

INSTANTIATE_TEST_SUITE_P(Language, Programs, testing::ValuesIn(programs()),
                         [](const auto &info) {
                           return info.param.parent_path().stem().string() +
                                  "_" + info.param.stem().string();
                         });

TEST(Grammar, EveryConstructReadsAsWritten) {
  std::string text = read(std::string(TROWEL_SOURCE_DIR) +
                          "/test/language/every_construct.trowel");
  std::string expected = read(std::string(TROWEL_SOURCE_DIR) +
                              "/test/language/every_construct.tree");
  EXPECT_EQ(syntax::print(parsed(text)), expected);
}

TEST(Grammar, PowersBindTighterThanMinusAndGroupFromTheRight) {
  EXPECT_EQ(grouped("-x^2"), "(- (x ^ 2))");
  EXPECT_EQ(grouped("a^b^c"), "(a ^ (b ^ c))");
  EXPECT_EQ(grouped("K^-0.5 * q"), "((K ^ (- 0.5f)) * q)");
  EXPECT_EQ(grouped("2^-x^3"), "(2 ^ (- (x ^ 3)))");
  EXPECT_EQ(grouped("x[0]^2"), "(x[0] ^ 2)");
  EXPECT_EQ(grouped("- - x"), "(- (- x))");
}

TEST(Grammar, ProductsGroupFromTheLeft) {
  EXPECT_EQ(grouped("a * b @ c"), "((a * b) @ c)");
  EXPECT_EQ(grouped("a @ b * c / d % e"), "((((a @ b) * c) / d) % e)");
  EXPECT_EQ(grouped("a - b - c + d"), "(((a - b) - c) + d)");
  EXPECT_EQ(grouped("a + b * -c"), "(a + (b * (- c)))");
  EXPECT_EQ(grouped("a * (b @ c)"), "(a * (b @ c))");
}

TEST(Grammar, ComparisonsChainAndLogicIsLoosest) {
  EXPECT_EQ(grouped("a < b + 1 <= c"), "(a < (b + 1) <= c)");
  EXPECT_EQ(grouped("a or b and not c == d"), "(a or (b and (not (c == d))))");
  EXPECT_EQ(grouped("not a and b"), "((not a) and b)");
  EXPECT_EQ(grouped("(a < b) < c"), "((a < b) < c)");
}

TEST(Grammar, NumbersAreThoseOfPython) {
  EXPECT_EQ(grouped("1. + .5 + 1e5 + 1.5E-3 + 1_000"),
            "((((1f + 0.5f) + 100000f) + 0.0015f) + 1000)");
  EXPECT_EQ(grouped("sum(i in 0..4 : x[i])"), "sum(i in 0..4 : x[i])");
  EXPECT_EQ(grouped("9007199254740992"), "9.0072e+15");
  EXPECT_EQ(grouped("1e-999"), "0f");
}

TEST(Grammar, BracketsBeforeArgumentsAreAxes) {
  EXPECT_EQ(grouped("sum[K](x)"), "sum[K](x)");
  EXPECT_EQ(grouped("sum[heads](x[i])"), "sum[heads](x[i])");
  EXPECT_EQ(grouped("x[0][t - 1]"), "x[0][(t - 1)]");
  EXPECT_EQ(grouped("max(x, y) + max(s <= t : x[s])"),
            "(max(x, y) + max((s <= t) : x[s]))");
  EXPECT_EQ(grouped("max(a < b, c)"), "max((a < b), c)");
}

TEST(Grammar, WordsOfOnePlaceAreNamesElsewhere) {
  EXPECT_EQ(grouped("scale + closed * force - first / last ^ layers"),
            "((scale + (closed * force)) - (first / (last ^ layers)))");
  EXPECT_EQ(grouped("sum(closed in closed : closed[closed])"),
            "sum(closed in closed : closed[closed])");
  EXPECT_EQ(syntax::print(*statement("in x : e4m3 scale f32 scale = 1")),
            "in x : e4m3 scale f32");
}

TEST(Grammar, ExpressionsKnowTheirPlace) {
  auto let = statement("  let y = a + foo(b,\n    c) * d");
  const syntax::Expr &sum = *let->value;
  EXPECT_EQ(sum.location.line, 2);
  EXPECT_EQ(sum.location.column, 11);
  EXPECT_EQ(sum.location.length, 10); // its part on the first line
  EXPECT_EQ(sum.operatorLocation.column, 13);
  const syntax::Expr &product = *sum.operands[1];
  EXPECT_EQ(product.location.column, 15);
  EXPECT_EQ(product.operatorLocation.line, 3);
  EXPECT_EQ(product.operatorLocation.column, 8);
  EXPECT_EQ(product.operands[1]->location.column, 10);
  EXPECT_EQ(let->names[0].location.column, 7);
}

TEST(Grammar, ParenthesesBelongToThePlace) {
  auto let = statement("let y = (a @ b) * c");
  EXPECT_EQ(let->value->operands[0]->location.column, 9);
  EXPECT_EQ(let->value->operands[0]->location.length, 7);
  EXPECT_TRUE(let->value->operands[0]->parenthesised);
  EXPECT_FALSE(let->value->parenthesised);
}

TEST(Grammar, TheCommentAboveAnAttentionIsKept) {
  syntax::File file = parsed("// far away\n\n// Title, größer.\n//   indented\n"
                             "attention a() {}\nattention b() {} // not c's\n"
                             "attention c() {}");
  ASSERT_EQ(file.attentions.size(), 3u);
  EXPECT_EQ(file.attentions[0].comment, "Title, größer.\n  indented");
  EXPECT_EQ(file.attentions[1].comment, "");
  EXPECT_EQ(file.attentions[2].comment, "");
}

TEST(Grammar, WindowsLineEndsAndByteOrderMarksAreFine) {
  syntax::File file = parsed("\xEF\xBB\xBF// T\r\nattention a() {\r\n}\r\n");
  ASSERT_EQ(file.attentions.size(), 1u);
  EXPECT_EQ(file.attentions[0].comment, "T");
  EXPECT_EQ(file.attentions[0].location.line, 2);
}

TEST(Grammar, AnEmptyFileIsAFile) {
  EXPECT_EQ(syntax::print(parsed("")), "");
  EXPECT_EQ(syntax::print(parsed("// only a comment")), "");
}

// Bounds: an error, never a crash.

namespace {

std::string repeated(const std::string &part, int times) {
  std::string result;
  for (int i = 0; i < times; ++i)
    result += part;
  return result;
}

std::string messages(const std::string &text) {
  SourceFile source{"test.trowel", text};
  ParseResult result = parse(source);
  EXPECT_TRUE(result.diagnostics.empty() || result.file.attentions.empty());
  std::string joined;
  for (const Diagnostic &diagnostic : result.diagnostics)
    joined += diagnostic.message + "\n";
  return joined;
}

std::string nested(const std::string &open, const std::string &inner,
                   const std::string &close, int depth) {
  return "attention a() { let x = " + repeated(open, depth) + inner +
         repeated(close, depth) + " }";
}

const char *tooDeep = "this is nested more than 256 deep\n";
const char *tooLong = "this expression has more than 1000 operators\n";

} // namespace

TEST(GrammarBounds, NestingIsBounded) {
  const std::pair<const char *, const char *> forms[] = {
      {"(", ")"},   {"f(", ")"},  {"x[", "]"},    {"- ", ""},
      {"not ", ""}, {"a ^ ", ""}, {"a ^ - ", ""}, {"sum(s in ", " : x)"},
  };
  for (auto [open, close] : forms) {
    EXPECT_EQ(messages(nested(open, "y", close, 120)), "") << open;
    EXPECT_EQ(messages(nested(open, "y", close, 20000)), tooDeep) << open;
  }
  EXPECT_EQ(messages("attention a() {" + repeated("for i in N {", 20000)),
            tooDeep);
  EXPECT_EQ(messages("stack a = " + repeated("(", 20000)), tooDeep);
  EXPECT_EQ(messages(repeated("(", 20000)), tooDeep);
}

TEST(GrammarBounds, ChainsAreBounded) {
  for (const char *link : {"+ y", "@ y", "< y", "and y"}) {
    std::string part = std::string(" ") + link;
    EXPECT_EQ(messages(nested("", "y" + repeated(part, 900), "", 1)), "");
    EXPECT_EQ(messages(nested("", "y" + repeated(part, 50000), "", 1)),
              tooLong);
  }
  // Long lists and long files are no chains.
  EXPECT_EQ(messages(nested("f(", "y" + repeated(", y", 5000), ")", 1)), "");
  EXPECT_EQ(messages("attention a() {" + repeated(" S += k * v", 5000) + "}"),
            "");
}

TEST(GrammarBounds, TextIsBounded) {
  EXPECT_EQ(messages("//" + repeated("x", 1 << 20)),
            "the file is larger than 1 MiB\n");
  EXPECT_EQ(messages("// \xff"), "this byte is not UTF-8 text\n");
  EXPECT_EQ(messages("// \xc3"), "this byte is not UTF-8 text\n");
  EXPECT_EQ(messages("// \xed\xa0\x80"), "this byte is not UTF-8 text\n");
  EXPECT_EQ(messages("// \xf0\x9f\x8c\xb1"), "");
  EXPECT_EQ(messages(std::string("// \0", 4)), "");
  EXPECT_EQ(messages(std::string("\0", 1)), "a control character\n");
}

TEST(GrammarBounds, ErrorsAreBounded) {
  SourceFile source{"test.trowel",
                    "attention a() {\n" + repeated("let x = )\n", 1000) + "}"};
  EXPECT_EQ(parse(source).diagnostics.size(), 20u);
}
