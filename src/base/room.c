#include "base/room.h"

#include "base/os_machine.h"

trm__room trm__memory_room(const char *root) {
  trm__os_limit all[TRM__OS_LIMITS];
  const size_t n = trm__os_limits(root, all);
  trm__room least = {INT64_MAX, ""};
  for (size_t i = 0; i < n; i++)
    if (all[i].bytes < (uint64_t)least.bytes) least = (trm__room){(int64_t)all[i].bytes, all[i].of};
  return least;
}

trm_status trm__room_for(int64_t bytes, const char *what, const char *remedy, trm_error *err) {
  const trm__room room = trm__memory_room("");
  if (bytes <= room.bytes) return TRM_OK;
  TRM_FAIL(err, TRM_E_MEMORY, "no memory for %s: %.1f MiB are needed, %.1f MiB are left of %s; %s",
           what, (double)bytes / 0x1p20, (double)room.bytes / 0x1p20, room.of, remedy);
}
