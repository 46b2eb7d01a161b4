/* Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Two libraries in one program have messages of their own.
 */
#include "delta.h"
#include "my_rule.h"

#include <stdio.h>

int main(void) {
  trowel_call call = trowel_new_call();
  delta_forward(NULL);
  printf("delta: %s\n", delta_last_error());
  my_rule_forward(&call);
  printf("my_rule: %s\n", my_rule_last_error());
  printf("delta: %s\n", delta_last_error());
  puts(delta_describe());
  return 0;
}
