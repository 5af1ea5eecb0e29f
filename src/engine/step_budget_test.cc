#include "engine/step_budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace tessera::engine {
namespace {

/// A machine whose step takes as long as its weights or its multiplications, whichever is longer; then for
/// each of a prompt's tokens what it looks back on, and once what is read of the prompt for that.
struct Machine {
  double weights = 0.016, row = 0.001, look_back = 1e-7, read_back = 0;

  double seconds(int32_t decode_rows, int32_t prompt_tokens, int32_t position) const {
    const double back = prompt_tokens > 0 ? (look_back * prompt_tokens + read_back) * position : 0;
    return std::max(weights, row * (decode_rows + prompt_tokens)) + 0.0001 * decode_rows + back;
  }
};

/// What answers under way see while a prompt is computed.
struct Course {
  int32_t steps = 0, mixed = 0;
  double mean = 0, worst = 0;  // times as long as a step without the prompt
  double seconds = 0;
};

/// A prompt of `tokens` beside `decode_rows` answers, the first of `waiting`.
Course prefill(StepBudget& budget, const Machine& machine, int32_t decode_rows, int32_t tokens,
               int32_t waiting = 1) {
  Course course;
  const double alone = machine.seconds(decode_rows, 0, 0);
  for (int32_t step = 0; step < 20; ++step)
    budget.record(decode_rows, 0, alone);
  for (int32_t done = 0; done < tokens; ++course.steps) {
    const int32_t now = std::min(tokens - done, budget.tokens(decode_rows, waiting));
    const double seconds = machine.seconds(decode_rows, now, done);
    budget.record(decode_rows, now, seconds);
    course.seconds += seconds;
    course.worst = std::max(course.worst, seconds / alone);
    course.mixed += now > 0 ? 1 : 0;
    done += now;
  }
  course.mean = course.seconds / alone / course.steps;
  return course;
}

TEST(StepBudget, ALongPromptStretchesNoStepBeyondTheLimit) {
  for (const int32_t decode_rows : {1, 4, 30, 64}) {
    StepBudget budget(512, 2.0);
    const Machine machine;
    budget.record(0, 100, machine.seconds(0, 100, 0));
    const Course course = prefill(budget, machine, decode_rows, 8192);
    EXPECT_LE(course.worst, 2.1) << decode_rows << " rows";
    EXPECT_LE(course.mean, 2.0) << decode_rows << " rows";
    // It is used, too: a third of the time at least goes to the prompt.
    EXPECT_LE(course.seconds, 3 * 8192 * (machine.row + machine.look_back * 4096) + 1.0)
        << decode_rows << " rows";
  }
}

TEST(StepBudget, WhereOneTokenIsTooMuchTheMeanKeepsTheLimit) {
  StepBudget budget(512, 2.0);
  const Machine machine{.read_back = 7e-6};
  const Course course = prefill(budget, machine, 4, 8192);
  EXPECT_GT(course.worst, 2.0);
  EXPECT_LE(course.worst, 7.0);
  EXPECT_LE(course.mean, 2.0);
  EXPECT_GE(course.mean, 1.6) << "the prompt gets its share";
}

TEST(StepBudget, TheFirstPromptNeedNotBeLong) {
  StepBudget budget(512, 2.0);
  budget.record(0, 3, 0.016);
  EXPECT_LE(prefill(budget, {}, 2, 8192).worst, 2.0);
}

TEST(StepBudget, WithoutAnswersUnderWayThereIsNoLimitButTheMost) {
  StepBudget budget(512, 2.0);
  EXPECT_EQ(budget.tokens(0, 1), 512);
  EXPECT_EQ(budget.tokens(1, 1), 0) << "how long a step takes must be known first";
  budget.record(1, 0, 0.01);
  EXPECT_EQ(budget.tokens(1, 1), 16) << "and then a token, a few at a time";
  EXPECT_EQ(StepBudget(512, 0).tokens(1, 1), 512) << "no limit was wanted";
  EXPECT_EQ(StepBudget(5, 2.0).tokens(0, 1), 5);
}

TEST(StepBudget, ManyPromptsThatWaitCountForMoreThanFewAnswers) {
  StepBudget budget(512, 2.0);
  const Machine machine;
  const double alone = prefill(budget, machine, 4, 2000).mean;
  EXPECT_NEAR(prefill(budget, machine, 4, 2000, 4).mean, alone, 0.1) << "as many as answers";
  const Course twice = prefill(budget, machine, 4, 8192, 8);
  EXPECT_GT(twice.mean, 1.5 * alone);
  EXPECT_LE(twice.mean, 4.0);
  EXPECT_LE(prefill(budget, machine, 4, 2000).mean, 2.0) << "the limit is back for a prompt alone";
  EXPECT_EQ(budget.tokens(1, 60), 512);
}

TEST(StepBudget, AHiccupIsNotALaw) {
  StepBudget budget(512, 2.0);
  const Machine machine;
  prefill(budget, machine, 4, 2000);
  budget.record(4, budget.tokens(4, 1), 5.0);
  const Course course = prefill(budget, machine, 4, 2000);
  EXPECT_LE(course.worst, 2.0);
  EXPECT_GE(course.mean, 1.3);
}

TEST(StepBudget, MeasuresTheDecodeAloneNowAndThen) {
  StepBudget budget(512, 2.0);
  Machine machine;
  const Course course = prefill(budget, machine, 1, 8192);
  EXPECT_LT(course.mixed, course.steps);
  machine.weights *= 4;  // as if contexts had grown
  const int32_t before = budget.tokens(1, 1);
  EXPECT_LE(prefill(budget, machine, 1, 8192).worst, 2.0);
  EXPECT_GT(budget.tokens(1, 1), before);
}

}  // namespace
}  // namespace tessera::engine
