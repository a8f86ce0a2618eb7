// Calls of the interface that must be refused, and one codec in several threads: a C++ program, to
// show that the header is one of C++ too. Arguments: a bundle, ONNX Runtime's library.
#include <c3d_codec.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <thread>
#include <vector>

static void expect(bool held, const char *what)
{
    if (!held) {
        std::fprintf(stderr, "not so: %s\n", what);
        std::exit(1);
    }
}

#define EXPECT(condition) expect((condition), #condition)

using Bytes = std::vector<unsigned char>;

static c3d_status opened(const char *bundle, const c3d_options &options)
{
    c3d_codec *codec = reinterpret_cast<c3d_codec *>(1);
    c3d_error error;
    const c3d_status status = c3d_codec_open(bundle, &options, &codec, &error);
    EXPECT((status == C3D_OK) == (codec != nullptr));
    EXPECT((status == C3D_OK) == (error.message[0] == '\0'));
    c3d_codec_close(codec);
    return status;
}

static void check_options(const char *bundle, const c3d_options &good)
{
    c3d_options options = good;
    options.size = 4;
    EXPECT(opened(bundle, options) == C3D_ERR_OPTION);
    options = good;
    options.threads = 1025;
    EXPECT(opened(bundle, options) == C3D_ERR_OPTION);
    options = good;
    const int wrong = 7;
    std::memcpy(&options.flavour, &wrong, sizeof options.flavour);
    EXPECT(opened(bundle, options) == C3D_ERR_OPTION);
    options = good;
    std::memcpy(&options.device, &wrong, sizeof options.device);
    EXPECT(opened(bundle, options) == C3D_ERR_DEVICE);
    options = good;
    options.runtime_path = "/nowhere/libonnxruntime.so.1";
    EXPECT(opened(bundle, options) == C3D_ERR_RUNTIME_MISSING);
    options.runtime_path = "libm.so.6";
    EXPECT(opened(bundle, options) == C3D_ERR_RUNTIME_MISSING);
    EXPECT(opened("/nowhere/at/all.c3b", good) == C3D_ERR_MISSING_INPUT);
    EXPECT(opened("/", good) == C3D_ERR_MISSING_INPUT);
    EXPECT(opened(bundle, good) == C3D_OK);
}

// ONNX Runtime as an engine has it that links it itself, and one that is too old.
static const void *old_api(uint32_t) { return nullptr; }
static const char *old_version() { return "1.20.0"; }

static void check_own_runtime(const char *bundle, const c3d_options &good)
{
    struct {
        const void *(*api)(uint32_t);
        const char *(*version)();
    } old = {old_api, old_version};
    c3d_options options = good;
    options.runtime_base = &old;
    EXPECT(opened(bundle, options) == C3D_ERR_RUNTIME_VERSION);
    void *library = dlopen(good.runtime_path, RTLD_NOW | RTLD_LOCAL);
    EXPECT(library != nullptr);
    const void *(*base)() = nullptr;
    void *found = dlsym(library, "OrtGetApiBase");
    std::memcpy(&base, &found, sizeof base);
    options.runtime_path = "/nowhere/libonnxruntime.so.1";
    options.runtime_base = base();
    EXPECT(opened(bundle, options) == C3D_OK);
}

static void check_nulls(c3d_codec *codec)
{
    const Bytes frame(48, 9);
    const unsigned char *data = nullptr;
    size_t size = 0;
    c3d_codec *other = nullptr;
    c3d_stream_info info;
    unsigned char id[C3D_ID_BYTES], rgb[48];
    EXPECT(c3d_codec_open(nullptr, nullptr, &other, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_open("a", nullptr, nullptr, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_open_memory(nullptr, 5, nullptr, &other, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_open_memory(rgb, 0, nullptr, &other, nullptr) == C3D_ERR_BUNDLE_FORMAT);
    EXPECT(c3d_codec_share(nullptr, &other, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_share(codec, nullptr, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_encode(nullptr, frame.data(), 4, 4, 12, 1, &data, &size, nullptr) ==
           C3D_ERR_OPTION);
    EXPECT(c3d_codec_encode(codec, nullptr, 4, 4, 12, 1, &data, &size, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_encode(codec, frame.data(), 4, 4, 12, 1, nullptr, &size, nullptr) ==
           C3D_ERR_OPTION);
    EXPECT(c3d_codec_encode(codec, frame.data(), 4, 4, 11, 1, &data, &size, nullptr) ==
           C3D_ERR_FRAME_SHAPE);
    EXPECT(c3d_codec_decode(codec, nullptr, 5, rgb, 48, 12, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_decode(codec, nullptr, 0, rgb, 48, 12, nullptr) == C3D_ERR_STREAM_TRUNCATED);
    EXPECT(c3d_codec_decode(codec, rgb, 5, nullptr, 48, 12, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_peek(nullptr, 0, &info, nullptr) == C3D_ERR_STREAM_TRUNCATED);
    EXPECT(c3d_peek(nullptr, 4, &info, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_peek(rgb, 4, nullptr, nullptr) == C3D_ERR_OPTION);
    EXPECT(c3d_codec_qualities(nullptr) == 0);
    c3d_codec_id(nullptr, id);
    EXPECT(id[0] == 0 && id[7] == 0);
    c3d_codec_close(nullptr);
}

static Bytes encode(c3d_codec *codec, const Bytes &frame, unsigned width, unsigned height)
{
    const unsigned char *data = nullptr;
    size_t size = 0;
    const size_t stride = size_t{3} * width;
    EXPECT(c3d_codec_encode(codec, frame.data(), width, height, stride, 2, &data, &size,
                            nullptr) == C3D_OK);
    return Bytes(data, data + size);
}

static Bytes picture(unsigned width, unsigned height)
{
    Bytes frame(size_t{3} * width * height);
    for (size_t i = 0; i < frame.size(); i++)
        frame[i] = static_cast<unsigned char>(i * 7 / 5 + i / 300 * 11);
    return frame;
}

static void check_room(c3d_codec *codec)
{
    const Bytes stream = encode(codec, picture(20, 10), 20, 10);
    Bytes rgb(700);
    const auto decode = [&](size_t capacity, size_t stride) {
        return c3d_codec_decode(codec, stream.data(), stream.size(), rgb.data(), capacity, stride,
                                nullptr);
    };
    EXPECT(decode(600, 60) == C3D_OK);
    EXPECT(decode(599, 60) == C3D_ERR_CAPACITY);
    EXPECT(decode(9 * 64 + 60, 64) == C3D_OK);
    EXPECT(decode(9 * 64 + 59, 64) == C3D_ERR_CAPACITY);
    EXPECT(decode(0, 60) == C3D_ERR_CAPACITY);
    EXPECT(decode(700, 59) == C3D_ERR_FRAME_SHAPE);
    EXPECT(decode(700, SIZE_MAX) == C3D_ERR_CAPACITY);
}

// Each thread has a codec that shares the first one's networks; sizes change from frame to frame.
static void check_threads(c3d_codec *codec)
{
    const unsigned sizes[][2] = {{33, 17}, {200, 90}, {64, 64}};
    std::vector<Bytes> wanted;
    for (const auto &size : sizes)
        wanted.push_back(encode(codec, picture(size[0], size[1]), size[0], size[1]));
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; t++) {
        threads.emplace_back([&, t] {
            c3d_codec *own = nullptr;
            EXPECT(c3d_codec_share(codec, &own, nullptr) == C3D_OK);
            for (int round = 0; round < 12; round++) {
                const size_t i = static_cast<size_t>(t + round) % 3;
                EXPECT(encode(own, picture(sizes[i][0], sizes[i][1]), sizes[i][0], sizes[i][1]) ==
                       wanted[i]);
            }
            c3d_codec_close(own);
        });
    }
    for (std::thread &thread : threads)
        thread.join();
}

int main(int count, char **arguments)
{
    EXPECT(count == 3);
    c3d_options options = C3D_OPTIONS_INIT;
    options.threads = 2;
    options.runtime_path = arguments[2];
    check_options(arguments[1], options);
    check_own_runtime(arguments[1], options);
    c3d_codec *codec = nullptr;
    EXPECT(c3d_codec_open(arguments[1], &options, &codec, nullptr) == C3D_OK);
    EXPECT(c3d_codec_qualities(codec) == 3);
    check_nulls(codec);
    check_room(codec);
    check_threads(codec);
    c3d_codec_close(codec);
    EXPECT(std::strcmp(c3d_status_text(C3D_OK), "done") == 0);
    std::puts("done");
    return 0;
}
