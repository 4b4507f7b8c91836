#include "cli/pictures/chart_svg.h"
trm_status chart_svg_bars(const char *path, const char *title, const chart_axis *value,
                          const chart_bars *bars, trm_error *err) {
  (void)path, (void)title, (void)value, (void)bars, (void)err;
  return TRM_OK;
}
