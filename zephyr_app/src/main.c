/* SPDX-License-Identifier: Apache-2.0 */
#include <tinyhil/tinyhil.h>

int main(void)
{
	tinyhil_run();
	return 0;
}
