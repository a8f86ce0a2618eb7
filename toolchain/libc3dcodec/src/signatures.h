/* The signatures of a bundle. This library does not verify them: it has no public keys and no
 * Ed25519. What it reads is held to the one form that c3d_export.runtime.signatures writes, so that
 * it takes no bundle that Python refuses. */
#ifndef C3D_SIGNATURES_H
#define C3D_SIGNATURES_H

#include "archive.h"
#include "fail.h"

#define C3D_SIGNATURES "signatures.json"

/* BUNDLE_SIGNATURE unless the member is written as it has to be. */
c3d_status c3d_signatures_check(const c3d_member *member, c3d_error *error);

#endif
