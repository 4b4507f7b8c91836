/* The commit that the library was built of; the definition is made by cmake/commit.cmake. */
#ifndef TRM_BASE_COMMIT_H
#define TRM_BASE_COMMIT_H

extern const char trm__commit[];

#endif
