/* ONNX files, which the Python package writes. */
#ifndef TRM_CLI_ONNX_FILE_H
#define TRM_CLI_ONNX_FILE_H

#include "cli/cli.h"

/* Writes a model as the ONNX file `out`: has $TRM_PYTHON, or python3, run the writer of the package
 * trm (python/trm/_onnx.py) on a file of the model in $TMPDIR. `name` is the model's in the file;
 * `graph` one of the words that the writer knows. Complete or not at all. Errors: SYSTEM with the
 * remedy where Python or a package is missing, and what the writer refuses: CONFIG, IO, MEMORY;
 * INTERRUPTED. */
trm_status onnx_file_write(const trm_model *model, const char *name, const char *out,
                           const char *graph, trm_dtype dtype, trm_error *err);

#endif
