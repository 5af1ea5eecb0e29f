// The matrices of orders that are no power of two: R. Paley, "On orthogonal matrices", 1933.
#include <vector>

#include "base/check.h"
#include "kernels/hadamard/hadamard.h"

namespace tessera::kernels {
namespace {

bool is_prime(int64_t p) {
  for (int64_t i = 2; i * i <= p; ++i) {
    if (p % i == 0) return false;
  }
  return p >= 2;
}

/// 1 for squares modulo p, -1 for the others, 0 for 0; p an odd prime.
std::vector<int> characters(int64_t p) {
  std::vector<int> result(static_cast<size_t>(p), -1);
  for (int64_t i = 0; i < p; ++i)
    result[static_cast<size_t>(i * i % p)] = 1;
  result[0] = 0;
  return result;
}

/// The field of q elements, q an odd prime p or its square; q = 0: no such field.
class Field {
 public:
  explicit Field(int64_t q) {
    for (int64_t p = 3; p <= q; p += 2) {
      if (!is_prime(p) || (p != q && p * p != q)) continue;
      p_ = p;
      q_ = q;
      character_ = characters(p);
      while (character_[static_cast<size_t>(non_square_)] != -1)
        ++non_square_;
      return;
    }
  }
  int64_t size() const { return q_; }

  /// Whether element i minus element j is a square: 1 or -1, 0 for i = j. Elements of the square of p are
  /// a + b sqrt(r), r no square modulo p; they are squares when their norm a^2 - r b^2 is one modulo p.
  int character(int64_t i, int64_t j) const {
    const int64_t a = (i % p_ - j % p_ + p_) % p_, b = (i / p_ - j / p_ + p_) % p_;
    const int64_t norm = ((a * a - non_square_ * b % p_ * b) % p_ + p_) % p_;
    return q_ == p_ ? character_[static_cast<size_t>(a)] : character_[static_cast<size_t>(norm)];
  }

 private:
  int64_t p_ = 0, q_ = 0, non_square_ = 1;
  std::vector<int> character_;
};

bool first_exists(int64_t base) {
  return base % 4 == 0 && is_prime(base - 1);
}
bool second_exists(int64_t base) {
  return base % 4 == 0 && (base / 2 - 1) % 4 == 1 && Field(base / 2 - 1).size() != 0;
}

/// H = I + S, S = [0 1; -1 Q], Q the characters of q = base - 1, 3 modulo 4.
void first_construction(int64_t base, float* signs) {
  const Field field(base - 1);
  for (int64_t i = 0; i < base; ++i) {
    for (int64_t j = 0; j < base; ++j) {
      int sign = i == 0 ? 1 : -1;
      if (i == j) {
        sign = 1;
      } else if (i > 0 && j > 0) {
        sign = field.character(i - 1, j - 1);
      }
      signs[i * base + j] = static_cast<float>(sign);
    }
  }
}

/// H = C (x) [1 1; 1 -1] + I (x) [1 -1; -1 -1], C = [0 1; 1 Q], Q the characters of q = base/2 - 1, 1
/// modulo 4.
void second_construction(int64_t base, float* signs) {
  const Field field(base / 2 - 1);
  for (int64_t i = 0; i < base; ++i) {
    for (int64_t j = 0; j < base; ++j) {
      const int64_t row = i / 2, column = j / 2;
      const bool both_odd = i % 2 == 1 && j % 2 == 1, any_odd = i % 2 == 1 || j % 2 == 1;
      int sign = row == 0 || column == 0 ? 1 : field.character(row - 1, column - 1);
      if (row == column) {
        sign = any_odd ? -1 : 1;
      } else if (both_odd) {
        sign = -sign;
      }
      signs[i * base + j] = static_cast<float>(sign);
    }
  }
}

}  // namespace

int64_t hadamard_base(int64_t n) {
  if (n < 1) return 0;
  const int64_t odd = n / (n & -n);
  if (odd == 1) return 1;
  for (int64_t base = odd * 4; base <= kMaxHadamardBase && n % base == 0; base *= 2) {
    if (second_exists(base) || first_exists(base)) return base;
  }
  return 0;
}

void hadamard_signs(int64_t base, float* signs) {
  CHECK(base == 1 || second_exists(base) || first_exists(base), "no Hadamard matrix of order {}", base);
  if (base == 1) {
    signs[0] = 1;
  } else if (second_exists(base)) {
    second_construction(base, signs);
  } else {
    first_construction(base, signs);
  }
}

}  // namespace tessera::kernels
