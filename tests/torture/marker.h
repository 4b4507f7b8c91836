/* The descriptor that the shim closes to say that the program begins; there is none of this name.
 */
#ifndef TRM_TORTURE_MARKER_H
#define TRM_TORTURE_MARKER_H

#define TORTURE_MARKER (-0x7472)

#endif
