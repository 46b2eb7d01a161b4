// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The grammar of the language, whole. Newlines mean nothing: a statement starts
// with a keyword or `name op=`, which cannot continue an expression.
//
// What a name may be (an axis, a type, a function) is not decided here but by
// the checker, and what an argument list may hold (a range or plain arguments)
// by the tree builder: so every decision below needs two tokens at most.
// Rules of lists that the recovery from errors parses one element at a time:
// `item`, `attentionHead`, `statement`, `loopHead`.
grammar Trowel;

file : item* EOF ;

item : importFile | function | attention | stack ;

importFile : 'import' STRING ;

function : 'fn' name ('[' names ']')? '(' names? ')' '=' expr ;

// stack s(layers = 80) = 7 * a + 1 * (b + c)
stack : 'stack' name ('(' 'layers' '=' INT ')')? '=' pattern ;
pattern : patternItem ('+' patternItem)* ;
patternItem : (INT '*')? (name | '(' pattern ')') ;

attention : attentionHead statement* '}' ;
attentionHead : 'attention' name '(' (size (',' size)*)? ')' '{' ;
size : name '=' INT ;

// Statements.

statement
  : dim | input | param | state | let | output | index | assignment | loop | debug
  ;

dim : 'dim' name '=' expr ;
input : 'in' names ':' type sharing? scale? valueRange? ;
param : 'param' names ':' type sharing? valueRange? ;
state : 'state' names ':' type sharing? valueRange? ('=' expr)? ;
let : 'let' (name | '(' names ')') '=' expr ;
output : 'out' name ':' type sharing? '=' expr ;
index
  : 'index' name '=' 'topk' '(' expr (',' clause)+ (',' force)? ':' expr ')'
  ;
assignment : name op=('=' | '*=' | '+=' | '-=') expr ;
loop : loopHead statement* '}' ;
loopHead : 'for' name 'in' span '{' ;
debug : 'debug' '(' expr ')' ;

names : name (',' name)* ;

// Words that mean something in one place only stay free elsewhere.
name : NAME | 'scale' | 'closed' | 'force' | 'first' | 'last' | 'layers' ;

type : name ('[' sum (',' sum)* ']')? ;
sharing : 'grouped' | 'shared' ;
scale : 'scale' type ;
valueRange
  : op=('<=' | '>=' | '<' | '>') unary
  | 'in' open=('[' | '(') unary ',' unary close=(']' | ')')
  ;

// Ranges over tokens, blocks and axes.

span : sum ('..' sum)? ;
clause : name 'in' domain | comparison ;
domain : 'closed'? 'blocks' arguments | span ;
force : 'force' '=' '{' pick (',' pick)* '}' ;
pick : which=('first' | 'last') sum ;

// Expressions, loosest first.

expr : conjunction ('or' conjunction)* ;
conjunction : negation ('and' negation)* ;
negation : 'not' negation | comparison ;
comparison : sum (('<' | '<=' | '>' | '>=' | '==' | '!=') sum)* ;
sum : product (('+' | '-') product)* ;
product : unary (('*' | '/' | '%' | '@') unary)* ;
unary : '-' unary | power ;
power : primary ('^' unary)? ;
primary : INT | FLOAT | '(' expr ')' | reference ;

// x, x[K -> J], x[0][t - 1], exp(x), sum[K](x), attend(s <= t : score, value)
reference : name bracket* arguments? ;
bracket : '[' picker (',' picker)* ']' ;
picker : name '->' name | name '=' sum | sum ;
arguments : '(' (branch ('|' branch)*)? ')' ;
branch : entry (',' entry)* (':' entry (',' entry)*)? ;
entry : name '=' expr | name 'in' domain | expr ;

// Tokens, named for the C++ side; the rules above quote them.

ATTENTION : 'attention' ;
FN : 'fn' ;
STACK : 'stack' ;
IMPORT : 'import' ;
DIM : 'dim' ;
IN : 'in' ;
PARAM : 'param' ;
STATE : 'state' ;
LET : 'let' ;
OUT : 'out' ;
INDEX : 'index' ;
FOR : 'for' ;
DEBUG : 'debug' ;
GROUPED : 'grouped' ;
SHARED : 'shared' ;
TOPK : 'topk' ;
BLOCKS : 'blocks' ;
AND : 'and' ;
OR : 'or' ;
NOT : 'not' ;
SCALE : 'scale' ;
CLOSED : 'closed' ;
FORCE : 'force' ;
FIRST : 'first' ;
LAST : 'last' ;
LAYERS : 'layers' ;

OPEN_PAREN : '(' ;
CLOSE_PAREN : ')' ;
OPEN_SQUARE : '[' ;
CLOSE_SQUARE : ']' ;
OPEN_BRACE : '{' ;
CLOSE_BRACE : '}' ;
COMMA : ',' ;
COLON : ':' ;
ARROW : '->' ;
DOTS : '..' ;
BAR : '|' ;
ASSIGN : '=' ;
ASSIGN_MUL : '*=' ;
ASSIGN_ADD : '+=' ;
ASSIGN_SUB : '-=' ;
ADD : '+' ;
SUB : '-' ;
MUL : '*' ;
DIV : '/' ;
MOD : '%' ;
MATMUL : '@' ;
POWER : '^' ;
LESS : '<' ;
LESS_EQUAL : '<=' ;
GREATER : '>' ;
GREATER_EQUAL : '>=' ;
EQUAL : '==' ;
NOT_EQUAL : '!=' ;

// As in Python, `1.`, `.5`, `1e5` and `1_000` are numbers. But `0..4` is a range:
// where a second point follows, `0.` gives the first one back. (A predicate
// would say the same, yet the runtime leaks memory at each.)

NAME : [A-Za-z_] [A-Za-z0-9_]* ;
INT : DIGITS ;
FLOAT
  : DIGITS EXPONENT
  | DIGITS '.' {
      if (_input->LA(1) == '.') {
        _input->seek(_input->index() - 1);
        setCharPositionInLine(getCharPositionInLine() - 1);
        setType(INT);
      }
    }
  | DIGITS '.' EXPONENT
  | DIGITS? '.' DIGITS EXPONENT?
  ;
STRING : '"' ~["\r\n]* '"' ;

fragment DIGITS : [0-9] ('_'? [0-9])* ;
fragment EXPONENT : [eE] [+-]? DIGITS ;

COMMENT : '//' ~[\r\n]* -> skip ;
BLANK : [ \t\r\n\f]+ -> skip ;

// Slips: no rule uses these. A token of its own lets the message name the slip.
SLIP_DEFINE : ':=' ;
SLIP_POWER : '**' ;
SLIP_ASSIGN : '/=' | '@=' | '%=' | '^=' | '**=' ;
SLIP_LOGIC : '&&' | '||' ;
SLIP_HASH : '#' ~[\r\n]* ;
SLIP_COMMENT : '/*' .*? '*/' ;
SLIP_UNKNOWN : . ;
