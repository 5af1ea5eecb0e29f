// main() of a fuzz target where there is no libFuzzer: runs the target on every file of the folders given
// (what ctest does), then, with -seconds=N, on mutations of them. -seed=S repeats a run. An input that
// crashes the target, takes more than 20 s of processor time or more than 2 GiB is written to ./crash-NAME.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Of the sanitizers' runtime, where there is one: their reports end the process without a signal.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMaxResidentKib = int64_t{2} << 20;
constexpr std::clock_t kMaxTime = 20 * CLOCKS_PER_SEC;

// What a dying process writes down.
std::string crash_path;
const std::string* current_input = nullptr;

void save_input() {
  if (current_input == nullptr) return;
  const int fd = open(crash_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  const ssize_t written = write(fd, current_input->data(), current_input->size());
  (void)written;
  close(fd);
  current_input = nullptr;
}

void on_signal(int signal_number) {
  save_input();
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

void fail(const char* what) {
  save_input();
  std::printf("%s: the input is in %s\n", what, crash_path.c_str());
  std::exit(1);
}

void run(const std::string& input) {
  current_input = &input;
  const std::clock_t begin = std::clock();
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  if (std::clock() - begin > kMaxTime) fail("too slow");
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > kMaxResidentKib) fail("too much memory");
  current_input = nullptr;
}

std::vector<std::string> replay(const std::vector<const char*>& folders) {
  std::vector<std::string> inputs;
  for (const char* folder : folders) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      std::ifstream file(entry.path(), std::ios::binary);
      inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
      std::printf("%s\n", entry.path().c_str());  // the last line names the input that crashed
      std::fflush(stdout);
      run(inputs.back());
    }
  }
  return inputs;
}

void mutate(std::vector<std::string> corpus, uint64_t seconds, uint64_t seed) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  tessera::fuzz::Mutator mutator(std::move(corpus), seed);
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  uint64_t inputs = 0;
  for (; Clock::now() < end; ++inputs)
    run(mutator.next());
  std::printf("%llu inputs in %llu s\n", static_cast<unsigned long long>(inputs),
              static_cast<unsigned long long>(seconds));
}

/// The number behind `name` in an argument like "-seconds=5".
bool parse(std::string_view argument, std::string_view name, uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  const std::string_view number = argument.substr(name.size());
  return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc();
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seconds = 0, seed = std::random_device{}();
  std::vector<const char*> folders;
  for (int i = 1; i < argc; ++i) {
    if (!parse(argv[i], "-seconds=", seconds) && !parse(argv[i], "-seed=", seed)) folders.push_back(argv[i]);
  }
  crash_path = "crash-" + std::filesystem::path(argv[0]).filename().string();
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE})
    std::signal(signal_number, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(save_input);

  auto inputs = replay(folders);
  if (inputs.empty()) {
    std::fprintf(stderr, "no inputs in the folders given\n");
    return 1;
  }
  if (seconds > 0) mutate(std::move(inputs), seconds, seed);
  return 0;
}
