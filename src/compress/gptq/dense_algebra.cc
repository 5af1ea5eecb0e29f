#include "compress/gptq/dense_algebra.h"

#include <dlfcn.h>

#include <cstdlib>

#include "base/check.h"
#include "base/isa.h"

namespace tessera::compress {
namespace {

// cblas.h's constants; the functions take ints.
constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112, kLower = 122;

}  // namespace

/// The library's functions by their own names, as cblas.h and LAPACK declare them (Fortran: everything by
/// address).
struct DenseAlgebra::Functions {
  void (*openblas_set_num_threads)(int) = nullptr;
  void (*cblas_ssyrk)(int order, int half, int trans, int n, int k, float alpha, const float* a, int a_stride,
                      float beta, float* c, int c_stride) = nullptr;
  void (*cblas_sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a,
                      int a_stride, const float* b, int b_stride, float beta, float* c,
                      int c_stride) = nullptr;
  void (*dpotrf_)(const char* half, const int* n, double* a, const int* stride, int* info) = nullptr;
  void (*dtrtri_)(const char* half, const char* diagonal, const int* n, double* a, const int* stride,
                  int* info) = nullptr;
};

Result<std::unique_ptr<DenseAlgebra>> DenseAlgebra::open(int threads) {
  // It does not know every processor by name, and falls back to AVX2 on new ones: half the speed. Who set it
  // means it.
  setenv("OPENBLAS_CORETYPE", active_isa() >= Isa::kAvx512 ? "SkylakeX" : "Haswell", 0);
  // Stays loaded: its threads cannot be stopped.
  void* const library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return unavailable(
        "libopenblas.so.0 is not installed, expected Debian's libopenblas0-pthread (--method gptq)");
  auto functions = std::make_shared<Functions>();
  const auto load = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    return function != nullptr;
  };
  if (!load(functions->openblas_set_num_threads, "openblas_set_num_threads") ||
      !load(functions->cblas_ssyrk, "cblas_ssyrk") || !load(functions->cblas_sgemm, "cblas_sgemm") ||
      !load(functions->dpotrf_, "dpotrf_") || !load(functions->dtrtri_, "dtrtri_")) {
    return unavailable("libopenblas.so.0 lacks a function, expected Debian's libopenblas0-pthread");
  }
  functions->openblas_set_num_threads(threads);
  auto algebra = std::unique_ptr<DenseAlgebra>(new DenseAlgebra);
  algebra->functions_ = std::move(functions);
  return algebra;
}

void DenseAlgebra::add_gram(const float* x, int64_t rows, int64_t n, float* c) const {
  const int width = static_cast<int>(n);
  functions_->cblas_ssyrk(kRowMajor, kLower, kTrans, width, static_cast<int>(rows), 1, x, width, 1, c, width);
}

void DenseAlgebra::subtract_product(const float* a, int64_t a_stride, const float* b, int64_t b_stride,
                                    float* c, int64_t c_stride, int64_t m, int64_t n, int64_t k) const {
  if (m == 0 || n == 0 || k == 0) return;
  functions_->cblas_sgemm(kRowMajor, kNoTrans, kNoTrans, static_cast<int>(m), static_cast<int>(n),
                          static_cast<int>(k), -1, a, static_cast<int>(a_stride), b,
                          static_cast<int>(b_stride), 1, c, static_cast<int>(c_stride));
}

bool DenseAlgebra::inverse_cholesky(std::span<double> a, int64_t n) const {
  CHECK(static_cast<int64_t>(a.size()) == n * n, "{} values for order {}", a.size(), n);
  // LAPACK is column-major: its upper half is our lower one. a = U^T U there is a = L L^T here with L = U^T,
  // and what it inverts in place, U^-1, is here L^-1.
  const int order = static_cast<int>(n);
  int info = 0;
  functions_->dpotrf_("U", &order, a.data(), &order, &info);
  if (info != 0) return false;
  functions_->dtrtri_("U", "N", &order, a.data(), &order, &info);
  return info == 0;
}

}  // namespace tessera::compress
