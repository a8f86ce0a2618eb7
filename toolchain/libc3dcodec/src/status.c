#include <stdarg.h>
#include <stdio.h>

#include "fail.h"

c3d_status c3d_fail(c3d_error *error, c3d_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    va_list args;
    va_start(args, format);
    if (vsnprintf(error->message, sizeof error->message, format, args) < 0)
        error->message[0] = '\0';
    va_end(args);
    for (char *c = error->message; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return status;
}

const char *c3d_status_text(c3d_status status)
{
    switch (status) {
    case C3D_OK: return "done";
    case C3D_ERR_INTERNAL: return "a fault of the codec library";
    case C3D_ERR_OPTION: return "an option or argument is not allowed";
    case C3D_ERR_MISSING_INPUT: return "the bundle cannot be opened";
    case C3D_ERR_UNKNOWN_QUALITY: return "the bundle has no such rate point";
    case C3D_ERR_FRAME_SHAPE: return "the frame is beyond the limits of size";
    case C3D_ERR_CAPACITY: return "the frame does not fit the buffer";
    case C3D_ERR_MEMORY: return "memory ran out";
    case C3D_ERR_DEVICE: return "the device is not supported";
    case C3D_ERR_RUNTIME_MISSING: return "ONNX Runtime cannot be loaded";
    case C3D_ERR_RUNTIME_VERSION: return "ONNX Runtime is too old";
    case C3D_ERR_RUNTIME: return "ONNX Runtime failed";
    case C3D_ERR_KNOWN_ANSWER: return "this host computes other numbers than the bundle's maker";
    case C3D_ERR_STREAM_MAGIC: return "this is no stream";
    case C3D_ERR_STREAM_VERSION: return "the stream has another version";
    case C3D_ERR_STREAM_TRUNCATED: return "the stream ends too early";
    case C3D_ERR_STREAM_TRAILING: return "bytes follow the end of the stream";
    case C3D_ERR_STREAM_HEADER: return "a field of the stream is out of range";
    case C3D_ERR_STREAM_CHECKSUM: return "the stream is damaged";
    case C3D_ERR_STREAM_FOREIGN: return "the stream was made by another bundle";
    case C3D_ERR_LATENTS_CHECKSUM: return "the decoded latents are not the encoded ones";
    case C3D_ERR_BUNDLE_FORMAT: return "this is no bundle, or a damaged one";
    case C3D_ERR_BUNDLE_MEMBER: return "a member of the bundle is wrong";
    case C3D_ERR_BUNDLE_HASH: return "a member of the bundle is not the one that was bundled";
    case C3D_ERR_BUNDLE_GRAPH: return "a graph of the bundle is none that is allowed";
    case C3D_ERR_BUNDLE_MANIFEST: return "the manifest of the bundle is malformed";
    case C3D_ERR_BUNDLE_VERSION: return "the bundle has another version";
    case C3D_ERR_BUNDLE_SIGNATURE: return "the signatures of the bundle are malformed";
    }
    return "no status of the codec library";
}

int c3d_status_exit_code(c3d_status status)
{
    const int number = (int)status;
    if (number == C3D_OK || number == C3D_ERR_INTERNAL)
        return number;
    return number < C3D_ERR_DEVICE ? 2 : number < C3D_ERR_STREAM_MAGIC ? 4 : 5;
}
