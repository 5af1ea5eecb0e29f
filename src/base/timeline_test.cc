#include "base/timeline.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"

namespace tessera {
namespace {

/// One line of the file. base has no JSON parser; the engine's tests read the whole with one.
struct Line {
  std::string name, rest;
  char phase = 0;
  int thread = 0;
  double begin = 0, duration = 0;
};

class TimelineTest : public ::testing::Test {
 protected:
  ~TimelineTest() override { std::filesystem::remove(path_); }

  std::vector<Line> lines() const {
    const std::string text = read_text_file(path_, uint64_t{100} << 20).value();
    EXPECT_TRUE(text.starts_with("[\n")) << text.substr(0, 100);
    EXPECT_TRUE(text.ends_with("}\n]\n"));
    static const std::regex pattern(
        "\\{\"name\":\"([^\"]*)\",\"ph\":\"([Xbe])\",\"pid\":[0-9]+,\"tid\":([0-9]+),\"ts\":([0-9.]+)(.*)\\},"
        "?");
    std::vector<Line> found;
    for (auto at = std::sregex_iterator(text.begin(), text.end(), pattern); at != std::sregex_iterator();
         ++at) {
      Line line{.name = (*at)[1],
                .rest = (*at)[5],
                .phase = (*at)[2].str()[0],
                .thread = std::stoi((*at)[3]),
                .begin = std::stod((*at)[4])};
      if (line.phase == 'X') line.duration = std::stod(line.rest.substr(line.rest.find(':') + 1));
      found.push_back(line);
    }
    return found;
  }

  const std::string path_ =
      (std::filesystem::temp_directory_path() / fmt::format("tessera-timeline-{}", getpid())).string();
};

TEST_F(TimelineTest, SpansNestAndSayTheirNumbers) {
  {
    const Span before("before");  // nobody listens
    const auto timeline = Timeline::start(path_).value();
    EXPECT_EQ(Timeline::active(), timeline.get());
    {
      const Span outer("outer", {"rows", 3});
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      const Span inner("inner", {"rows", -1}, {"kernel", 0, "gemm/avx2"});
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  EXPECT_EQ(Timeline::active(), nullptr);
  const auto found = lines();
  ASSERT_EQ(found.size(), 2U);
  const Line &inner = found[0], &outer = found[1];
  EXPECT_EQ(inner.name, "inner");
  EXPECT_EQ(outer.name, "outer");
  EXPECT_TRUE(inner.rest.ends_with("\"args\":{\"rows\":-1,\"kernel\":\"gemm/avx2\"}")) << inner.rest;
  EXPECT_GE(inner.begin, outer.begin + 1990);
  EXPECT_LE(inner.begin + inner.duration, outer.begin + outer.duration + 0.002);
  EXPECT_GE(inner.duration, 1990) << "microseconds";
}

TEST_F(TimelineTest, ThreadsAreTold) {
  constexpr int kThreads = 4, kSpans = 1000;
  {
    const auto timeline = Timeline::start(path_).value();
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([] {
        for (int n = 0; n < kSpans; ++n)
          const Span span("work", {"n", n});
      });
    for (std::thread& thread : threads)
      thread.join();
    timeline->begin("request", 7);
    timeline->end("request", 7);
  }
  std::map<int, int> counts;
  std::vector<Line> stretches;
  for (const Line& line : lines()) {
    if (line.phase == 'X') ++counts[line.thread];
    if (line.phase != 'X') stretches.push_back(line);
  }
  EXPECT_EQ(counts.size(), size_t{kThreads});
  for (const auto& [thread, count] : counts)
    EXPECT_EQ(count, kSpans) << thread;
  ASSERT_EQ(stretches.size(), 2U);
  EXPECT_EQ(stretches[0].rest, ",\"cat\":\"request\",\"id\":7");
  EXPECT_LE(stretches[0].begin, stretches[1].begin);
}

TEST_F(TimelineTest, DropsWhatItHasNoRoomFor) {
  constexpr size_t kSpans = 3 * Timeline::kMaxWaiting;
  {
    const auto timeline = Timeline::start(path_).value();
    for (size_t i = 0; i < kSpans; ++i)
      const Span span("s");
  }
  const std::string text = read_text_file(path_, uint64_t{100} << 20).value();
  const auto written = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) - 3;
  EXPECT_GE(written, Timeline::kMaxWaiting);
  EXPECT_LE(written, kSpans);
}

TEST_F(TimelineTest, OneAtATimeAndInAFileThatCanBeWritten) {
  const auto bad = Timeline::start("/nonexistent/trace.json");
  ASSERT_FALSE(bad.has_value());
  EXPECT_NE(bad.error().message().find("/nonexistent/trace.json: No such file"), std::string::npos);
  const auto first = Timeline::start(path_).value();
  const auto second = Timeline::start(path_ + "2");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tessera
