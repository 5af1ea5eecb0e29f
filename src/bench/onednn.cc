#include "bench/onednn.h"

#if __has_include(<dnnl.h>)
#include <dnnl.h>
#endif

#if defined(DNNL_VERSION_MAJOR) && DNNL_VERSION_MAJOR == 2

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/isa.h"

namespace tessera::bench {

#define TESSERA_DNNL_FUNCTIONS(X)          \
  X(dnnl_engine_create)                    \
  X(dnnl_engine_destroy)                   \
  X(dnnl_stream_create)                    \
  X(dnnl_stream_destroy)                   \
  X(dnnl_stream_wait)                      \
  X(dnnl_memory_desc_init_by_tag)          \
  X(dnnl_memory_desc_get_size)             \
  X(dnnl_matmul_desc_init)                 \
  X(dnnl_primitive_attr_create)            \
  X(dnnl_primitive_attr_destroy)           \
  X(dnnl_primitive_attr_set_output_scales) \
  X(dnnl_primitive_desc_create)            \
  X(dnnl_primitive_desc_destroy)           \
  X(dnnl_primitive_desc_query_md)          \
  X(dnnl_primitive_create)                 \
  X(dnnl_primitive_destroy)                \
  X(dnnl_primitive_execute)                \
  X(dnnl_memory_create)                    \
  X(dnnl_memory_destroy)                   \
  X(dnnl_memory_get_data_handle)

/// The library's functions by their own names, its engine and its stream.
class OneDnn::Library {
 public:
// NOLINTNEXTLINE(bugprone-macro-parentheses): a name that is declared
#define TESSERA_DNNL_MEMBER(name) decltype(&::name) name = nullptr;
  TESSERA_DNNL_FUNCTIONS(TESSERA_DNNL_MEMBER)
#undef TESSERA_DNNL_MEMBER
  dnnl_engine_t engine = nullptr;
  dnnl_stream_t stream = nullptr;

  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  // The library stays loaded: its OpenMP threads cannot be stopped.
  ~Library() {
    if (stream != nullptr) dnnl_stream_destroy(stream);
    if (engine != nullptr) dnnl_engine_destroy(engine);
  }

  Status open(int threads) {
    // Between its runs ours are timed: its threads must not spin for long. Before OpenMP starts; who set it
    // means it.
    setenv("GOMP_SPINCOUNT", "20000", 0);
    // A thread each on a core of its own: without, two shared one for the first seconds (7 times slower).
    setenv("OMP_PROC_BIND", "true", 0);
    setenv("OMP_PLACES", "cores", 0);
    // As ours: what --isa forbids us is forbidden to it.
    if (active_isa() == Isa::kAvx2) setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 0);
    void* handle = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return unavailable("libdnnl.so.2 is not installed");
    if (auto* const set = reinterpret_cast<void (*)(int)>(dlsym(handle, "omp_set_num_threads"))) set(threads);
#define TESSERA_DNNL_LOAD(name)                                    \
  (name) = reinterpret_cast<decltype(name)>(dlsym(handle, #name)); \
  if ((name) == nullptr) return unavailable("libdnnl.so.2 lacks {}", #name);
    TESSERA_DNNL_FUNCTIONS(TESSERA_DNNL_LOAD)
#undef TESSERA_DNNL_LOAD
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success) {
      return unavailable("libdnnl.so.2 made no CPU engine");
    }
    return {};
  }
};

namespace {

constexpr size_t kMaxCopies = 256;

struct Problem {
  int64_t m, n, k;
};

}  // namespace

OneDnn::OneDnn(std::unique_ptr<Library> library) : library_(std::move(library)) {}
OneDnn::~OneDnn() = default;

Result<std::unique_ptr<OneDnn>> OneDnn::open(int threads) {
  auto library = std::make_unique<Library>();
  TRY_STATUS(library->open(threads));
  return std::unique_ptr<OneDnn>(new OneDnn(std::move(library)));
}

/// Owns the primitive and its memory.
class OneDnn::Run final : public OneDnn::Matmul {
 public:
  explicit Run(Library& library) : library_(library) {}
  ~Run() override {
    for (dnnl_memory_t memory : memories_)
      library_.dnnl_memory_destroy(memory);
    if (primitive_ != nullptr) library_.dnnl_primitive_destroy(primitive_);
    if (descriptor_ != nullptr) library_.dnnl_primitive_desc_destroy(descriptor_);
  }

  Status prepare(Type type, const Problem& shape, int64_t weight_bytes) {
    TRY_STATUS(describe(type, shape));
    source_ = TRY(allocate(dnnl_query_src_md, 0x3c));
    target_ = TRY(allocate(dnnl_query_dst_md, 0));
    const auto* weights = library_.dnnl_primitive_desc_query_md(descriptor_, dnnl_query_weights_md, 0);
    const size_t bytes = library_.dnnl_memory_desc_get_size(weights);
    const size_t copies = std::min(kMaxCopies, (static_cast<size_t>(weight_bytes) + bytes - 1) / bytes);
    for (size_t i = 0; i < std::max<size_t>(1, copies); ++i)
      weights_.push_back(TRY(allocate(dnnl_query_weights_md, 0x3c)));
    return {};
  }

  Status run() override {
    const std::array<dnnl_exec_arg_t, 3> arguments{
        {{DNNL_ARG_SRC, source_}, {DNNL_ARG_WEIGHTS, weights_[next_]}, {DNNL_ARG_DST, target_}}};
    next_ = (next_ + 1) % weights_.size();
    if (library_.dnnl_primitive_execute(primitive_, library_.stream, 3, arguments.data()) != dnnl_success ||
        library_.dnnl_stream_wait(library_.stream) != dnnl_success) {
      return internal_error("oneDNN: matmul failed");
    }
    return {};
  }

 private:
  Status describe(Type type, const Problem& shape) {
    const bool integer = type == Type::kInt8;
    const dnnl_dims_t source_dims{shape.m, shape.k}, weight_dims{shape.k, shape.n},
        target_dims{shape.m, shape.n};
    dnnl_memory_desc_t source{}, weights{}, target{};
    dnnl_matmul_desc_t matmul{};
    bool good =
        library_.dnnl_memory_desc_init_by_tag(&source, 2, source_dims, integer ? dnnl_u8 : dnnl_bf16,
                                              dnnl_ab) == dnnl_success &&
        library_.dnnl_memory_desc_init_by_tag(&weights, 2, weight_dims, integer ? dnnl_s8 : dnnl_bf16,
                                              dnnl_format_tag_any) == dnnl_success &&
        library_.dnnl_memory_desc_init_by_tag(&target, 2, target_dims, dnnl_f32, dnnl_ab) == dnnl_success &&
        library_.dnnl_matmul_desc_init(&matmul, &source, &weights, nullptr, &target) == dnnl_success;
    dnnl_primitive_attr_t attributes = nullptr;
    good = good && library_.dnnl_primitive_attr_create(&attributes) == dnnl_success;
    if (good && integer) {
      const std::vector<float> scales(static_cast<size_t>(shape.n), 0.01F);
      constexpr int kPerColumn = 1 << 1;
      good = library_.dnnl_primitive_attr_set_output_scales(attributes, shape.n, kPerColumn, scales.data()) ==
             dnnl_success;
    }
    good = good && library_.dnnl_primitive_desc_create(&descriptor_, &matmul, attributes, library_.engine,
                                                       nullptr) == dnnl_success;
    if (attributes != nullptr) library_.dnnl_primitive_attr_destroy(attributes);
    good = good && library_.dnnl_primitive_create(&primitive_, descriptor_) == dnnl_success;
    return good ? Status() : Status(unavailable("oneDNN: no matmul of this type and shape"));
  }

  Result<dnnl_memory_t> allocate(dnnl_query_t what, int byte) {
    const auto* form = library_.dnnl_primitive_desc_query_md(descriptor_, what, 0);
    dnnl_memory_t memory = nullptr;
    void* data = nullptr;
    if (library_.dnnl_memory_create(&memory, form, library_.engine, DNNL_MEMORY_ALLOCATE) != dnnl_success)
      return resource_exhausted("oneDNN: no memory for a matmul");
    memories_.push_back(memory);
    if (library_.dnnl_memory_get_data_handle(memory, &data) != dnnl_success)
      return internal_error("oneDNN: memory without data");
    std::memset(data, byte, library_.dnnl_memory_desc_get_size(form));
    return memory;
  }

  Library& library_;
  dnnl_primitive_desc_t descriptor_ = nullptr;
  dnnl_primitive_t primitive_ = nullptr;
  std::vector<dnnl_memory_t> memories_, weights_;
  dnnl_memory_t source_ = nullptr, target_ = nullptr;
  size_t next_ = 0;
};

Result<std::unique_ptr<OneDnn::Matmul>> OneDnn::matmul(Type type, int64_t m, int64_t n, int64_t k,
                                                       int64_t weight_bytes) {
  auto run = std::make_unique<Run>(*library_);
  TRY_STATUS(run->prepare(type, {m, n, k}, weight_bytes));
  return std::unique_ptr<Matmul>(std::move(run));
}

}  // namespace tessera::bench

#else

namespace tessera::bench {

class OneDnn::Library {};

OneDnn::OneDnn(std::unique_ptr<Library> library) : library_(std::move(library)) {}
OneDnn::~OneDnn() = default;

Result<std::unique_ptr<OneDnn>> OneDnn::open(int /*threads*/) {
  return unavailable("this program was built without the headers of oneDNN 2 (libdnnl-dev)");
}

Result<std::unique_ptr<OneDnn::Matmul>> OneDnn::matmul(Type /*type*/, int64_t /*m*/, int64_t /*n*/,
                                                       int64_t /*k*/, int64_t /*weight_bytes*/) {
  return unavailable("this program was built without the headers of oneDNN 2 (libdnnl-dev)");
}

}  // namespace tessera::bench

#endif
