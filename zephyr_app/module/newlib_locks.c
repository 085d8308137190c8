/* SPDX-License-Identifier: Apache-2.0 */
/* Locks of malloc for a newlib that was built without retargetable ones. */
#include <zephyr/kernel.h>

K_MUTEX_DEFINE(tinyhil_malloc_lock);

struct _reent;
void __malloc_lock(struct _reent *reent);
void __malloc_unlock(struct _reent *reent);

void __malloc_lock(struct _reent *reent)
{
	ARG_UNUSED(reent);
	k_mutex_lock(&tinyhil_malloc_lock, K_FOREVER);
}

void __malloc_unlock(struct _reent *reent)
{
	ARG_UNUSED(reent);
	k_mutex_unlock(&tinyhil_malloc_lock);
}
