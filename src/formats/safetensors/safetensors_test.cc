// One test per rule of docs/file-safety.md, over real files in a temporary directory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "formats/safetensors/header.h"
#include "formats/safetensors/index.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/tensor_source.h"
#include "formats/test_directory.h"

namespace tessera::formats {
namespace {

using testing::HasSubstr;

std::string with_length(const std::string& header, const std::string& data,
                        std::optional<uint64_t> length = {}) {
  const uint64_t n = length.value_or(header.size());
  std::string file;
  for (int i = 0; i < 8; ++i)
    file += static_cast<char>((n >> (8 * i)) & 0xff);
  return file + header + data;
}

class Safetensors : public testing::Test {
 protected:
  // "" when the file opens, else the message.
  std::string open_file(const std::string& bytes) {
    dir_.write("model.safetensors", bytes);
    return open_dir();
  }
  std::string open(const std::string& header, const std::string& data = "") {
    return open_file(with_length(header, data));
  }
  std::string open_dir() {
    const auto source = open_safetensors_dir(dir_.path());
    return source.has_value() ? "" : source.error().message();
  }
  TestDirectory dir_;
};

const std::string kGood = R"({"a":{"dtype":"I8","shape":[2,3],"data_offsets":[0,6]}})";

TEST_F(Safetensors, ReadsAFile) {
  ASSERT_EQ(open(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I16","shape":[2],"data_offsets":[6,10]},)"
                 R"("a":{"dtype":"I8","shape":[2,3],"data_offsets":[0,6]}}   )",
                 "abcdefghij"),
            "");
  const auto source = *open_safetensors_dir(dir_.path());
  ASSERT_EQ(source->tensors().size(), 2U);
  EXPECT_EQ(source->tensors()[0].name, "a");
  const TensorInfo* b = source->find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, DType::kI16);
  EXPECT_EQ(b->shape, Shape({2}));
  const Tensor tensor = *source->read("b");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor.data()), tensor.bytes()), "ghij");
  EXPECT_EQ(source->find("c"), nullptr);
  EXPECT_EQ(source->read("c").error().code(), ErrorCode::kNotFound);
}

TEST_F(Safetensors, ADirectoryWithoutWeightsIsNotFound) {
  EXPECT_EQ(open_safetensors_dir(dir_.path()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(open_safetensors_dir(dir_.path() + "/absent").error().code(), ErrorCode::kNotFound);
}

TEST_F(Safetensors, Rule1HeaderLength) {
  EXPECT_THAT(open_file(""), HasSubstr("0 bytes long, expected at least the 8"));
  EXPECT_THAT(open_file("1234567"), HasSubstr("7 bytes long"));
  EXPECT_THAT(open_file(with_length(kGood, "", kGood.size() + 1)), HasSubstr("but the file has only"));
  EXPECT_THAT(open_file(with_length(kGood, "", kMaxHeaderBytes + 1)),
              HasSubstr("expected at most 100000000"));
  EXPECT_THAT(open_file(with_length(kGood, "", UINT64_MAX)), HasSubstr("expected at most 100000000"));
  EXPECT_THAT(open_file(with_length(kGood, "", UINT64_MAX - 7)), HasSubstr("expected at most 100000000"));
  EXPECT_THAT(open_file(with_length("", "")), HasSubstr("does not start with {"));
}

TEST_F(Safetensors, Rule2Json) {
  EXPECT_THAT(open(" {}"), HasSubstr("does not start with {"));
  EXPECT_THAT(open("[]"), HasSubstr("does not start with {"));
  EXPECT_THAT(open("{\"a\":}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(open("{\"\xff\":1}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(open("{} {}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[[[[1]]]],"data_offsets":[0,1]}})", "x"),
              HasSubstr("nested deeper"));
  EXPECT_EQ(open("{}"), "");
  EXPECT_EQ(open("{}     "), "");
}

TEST_F(Safetensors, Rule2DuplicateKeys) {
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
                   R"("a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
                   "xy"),
              HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"),
              HasSubstr("duplicate key \"dtype\""));
}

TEST_F(Safetensors, Rule2Metadata) {
  EXPECT_THAT(open(R"({"__metadata__":[]})"), HasSubstr("__metadata__ is not an object"));
  EXPECT_THAT(open(R"({"__metadata__":{"a":1}})"), HasSubstr("__metadata__.a is not a string"));
}

TEST_F(Safetensors, Rule2Fields) {
  EXPECT_THAT(open(R"({"a":7})"), HasSubstr("a: not an object"));
  EXPECT_THAT(open(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", "x"), HasSubstr("dtype is not a string"));
  EXPECT_THAT(open(R"({"a":{"dtype":"X3","shape":[1],"data_offsets":[0,1]}})", "x"),
              HasSubstr("dtype \"X3\" is unknown"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","data_offsets":[0,1]}})", "x"), HasSubstr("shape is missing"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1.0],"data_offsets":[0,1]}})", "x"),
              HasSubstr("shape has 1.0"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,1]}})", "x"),
              HasSubstr("shape has -1"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[9223372036854775808],"data_offsets":[0,1]}})", "x"),
              HasSubstr("shape has 9223372036854775808"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1]}})", "x"), HasSubstr("data_offsets is not a pair"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0]}})", "x"),
              HasSubstr("is not a pair"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[-1,0]}})", "x"),
              HasSubstr("is not a pair"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1,2]}})", "x"),
              HasSubstr("is not a pair"));
}

std::string two(int begin1, int end1, int begin2, int end2) {
  return fmt::format(R"({{"a":{{"dtype":"I8","shape":[{}],"data_offsets":[{},{}]}},)"
                     R"("b":{{"dtype":"I8","shape":[{}],"data_offsets":[{},{}]}}}})",
                     end1 - begin1, begin1, end1, end2 - begin2, begin2, end2);
}

TEST_F(Safetensors, Rule3NoHolesNoOverlap) {
  EXPECT_EQ(open(two(0, 2, 2, 4), "wxyz"), "");
  EXPECT_EQ(open(two(2, 4, 0, 2), "wxyz"), "");
  EXPECT_THAT(open(two(1, 2, 2, 4), "wxyz"), HasSubstr("there is a hole before it"));
  EXPECT_THAT(open(two(0, 1, 2, 4), "wxyz"),
              HasSubstr("b: begins at byte 2 of the data, expected 1: there is a hole"));
  EXPECT_THAT(open(two(0, 3, 2, 4), "wxyz"),
              HasSubstr("b: begins at byte 2 of the data, expected 3: it overlaps"));
  EXPECT_THAT(open(two(0, 4, 0, 4), "wxyz"), HasSubstr("it overlaps another tensor"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[1,0]}})", "x"),
              HasSubstr("end before they begin"));
}

TEST_F(Safetensors, Rule4SizesAgree) {
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,1]}})", "x"),
              HasSubstr("span 1 bytes, but I8"));
  EXPECT_THAT(open(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1]}})", "x"), HasSubstr("has 4"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
              HasSubstr("more elements than 64 bits"));
  EXPECT_THAT(open(R"({"a":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}})"),
              HasSubstr("more bytes than 64 bits"));
  EXPECT_THAT(
      open(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615]}})",
           "x"),
      HasSubstr("there is a hole before it"));
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,18446744073709551616]}})", "x"),
              HasSubstr("is not a pair"));
}

TEST_F(Safetensors, Rule5NothingFollows) {
  EXPECT_THAT(open(kGood, "1234567"), HasSubstr("the tensors have 6 bytes, but 7 bytes follow"));
  EXPECT_THAT(open(kGood, "12345"), HasSubstr("the tensors have 6 bytes, but 5 bytes follow"));
  EXPECT_THAT(open("{}", "1"), HasSubstr("the tensors have 0 bytes"));
}

TEST_F(Safetensors, Rule6EmptyTensorsAndScalars) {
  ASSERT_EQ(open(R"({"s":{"dtype":"I8","shape":[],"data_offsets":[0,1]},)"
                 R"("e":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},)"
                 R"("f":{"dtype":"F32","shape":[0],"data_offsets":[1,1]}})",
                 "x"),
            "");
  const auto source = *open_safetensors_dir(dir_.path());
  EXPECT_EQ(source->find("s")->shape.rank(), 0);
  EXPECT_EQ(source->find("s")->bytes, 1U);
  EXPECT_EQ(source->read("e")->bytes(), 0U);
}

TEST_F(Safetensors, Rule7Caps) {
  EXPECT_THAT(open(fmt::format(R"({{"{}":{{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}}})",
                               std::string(kMaxTensorNameBytes + 1, 'n')),
                   "x"),
              HasSubstr("tensor name has 1025 bytes"));
  EXPECT_EQ(open(R"({"a":{"dtype":"I8","shape":[1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", "x"), "");
  EXPECT_THAT(open(R"({"a":{"dtype":"I8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", "x"),
              HasSubstr("9 dimensions, expected at most 8"));
  std::string many = "{";
  for (size_t i = 0; i <= kMaxTensors; ++i)
    many += fmt::format("\"{}\":0,", i);
  many.back() = '}';
  EXPECT_THAT(open(many), HasSubstr("tensors, expected at most 500000"));
}

// 100 MB of header that hold nothing: read, but what is made of them is bounded by the number of values.
TEST_F(Safetensors, Rule7LargeHeaders) {
  const std::string path = dir_.path() + "/model.safetensors";
  dir_.write("model.safetensors", with_length("{", "", kMaxHeaderBytes));
  std::filesystem::resize_file(path, 8 + kMaxHeaderBytes);  // a hole: NUL bytes
  EXPECT_THAT(open_dir(), HasSubstr("not valid JSON at byte 1"));
  std::string bomb = R"({"a":{"dtype":"I8","shape":[)";
  for (int i = 0; i < 8'000'000; ++i)
    bomb += "0,";
  EXPECT_THAT(open(bomb + "0]}}"), HasSubstr("JSON has more than 8000000 values"));
}

TEST_F(Safetensors, EveryTruncationIsRefused) {
  const std::string file = with_length(two(0, 2, 2, 6), "uvwxyz");
  ASSERT_EQ(open_file(file), "");
  for (size_t length = 0; length < file.size(); ++length) {
    EXPECT_NE(open_file(file.substr(0, length)), "") << "length " << length;
  }
}

TEST_F(Safetensors, EveryBitFlipOpensOrIsRefused) {
  const std::string file = with_length(two(0, 2, 2, 6), "uvwxyz");
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string mutated = file;
    mutated[bit / 8] = static_cast<char>(mutated[bit / 8] ^ (1 << (bit % 8)));
    dir_.write("model.safetensors", mutated);
    const auto source = open_safetensors_dir(dir_.path());
    if (!source.has_value()) continue;
    for (const TensorInfo& info : (*source)->tensors())
      EXPECT_TRUE((*source)->read(info.name).has_value());
  }
}

// --- directories
// -----------------------------------------------------------------------------------------------------

std::string one(std::string_view name) {
  return with_length(fmt::format(R"({{"{}":{{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}}})", name), "x");
}

class SafetensorsIndexed : public Safetensors {
 protected:
  void SetUp() override {
    dir_.write("s1.safetensors", one("a"));
    dir_.write("s2.safetensors", one("b"));
  }
  std::string open_index(const std::string& weight_map) {
    dir_.write("model.safetensors.index.json",
               R"({"metadata":{"total_size":2},"weight_map":)" + weight_map + "}");
    return open_dir();
  }
};

TEST_F(SafetensorsIndexed, ReadsShards) {
  ASSERT_EQ(open_index(R"({"a":"s1.safetensors","b":"s2.safetensors"})"), "");
  const auto source = *open_safetensors_dir(dir_.path());
  EXPECT_EQ(source->tensors().size(), 2U);
  EXPECT_EQ(source->find("b")->shard, 1U);
  EXPECT_TRUE(source->read("b").has_value());
}

TEST_F(SafetensorsIndexed, Rule8PlainNames) {
  using namespace std::string_literals;
  std::filesystem::create_directory(dir_.path() + "/sub");
  dir_.write("sub/s1.safetensors", one("a"));
  for (const std::string bad : {"sub/s1.safetensors", "./s1.safetensors", "../s1.safetensors", "/etc/passwd",
                                "..", ".", "", "a\\\\b", "s1\\u0000", "s1\\n"}) {
    EXPECT_THAT(open_index("{\"a\":\"" + bad + "\",\"b\":\"s2.safetensors\"}"),
                HasSubstr("expected a plain file name"))
        << bad;
  }
  EXPECT_THAT(open_index(R"({"a":7})"), HasSubstr("weight_map.a is not a file name"));
}

TEST_F(SafetensorsIndexed, Rule8MapAndShardsAgree) {
  EXPECT_THAT(open_index(R"({"a":"s1.safetensors","b":"s3.safetensors"})"),
              HasSubstr("s3.safetensors: cannot open"));
  EXPECT_THAT(open_index(R"({"a":"s2.safetensors","b":"s1.safetensors"})"),
              HasSubstr("weight_map says a is in s2.safetensors, but it is in s1.safetensors"));
  EXPECT_THAT(open_index(R"({"a":"s1.safetensors","b":"s2.safetensors","c":"s2.safetensors"})"),
              HasSubstr("weight_map says c is in s2.safetensors, but it is not"));
  dir_.write("s2.safetensors", with_length(two(0, 1, 1, 2), "xy"));
  EXPECT_THAT(open_index(R"({"a":"s1.safetensors","b":"s2.safetensors"})"),
              HasSubstr("a: in s1.safetensors and in s2.safetensors, expected in one file only"));
  dir_.write("s1.safetensors", one("c"));
  EXPECT_THAT(open_index(R"({"c":"s1.safetensors","b":"s2.safetensors"})"),
              HasSubstr("a is in s2.safetensors, but not in weight_map"));
}

TEST_F(SafetensorsIndexed, Rule8IndexText) {
  const auto open_text = [this](const std::string& text) {
    dir_.write("model.safetensors.index.json", text);
    return open_dir();
  };
  EXPECT_THAT(open_text(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(open_text("[]"), HasSubstr("weight_map is missing"));
  EXPECT_THAT(open_text("{}"), HasSubstr("weight_map is missing"));
  EXPECT_THAT(open_text(R"({"weight_map":[]})"), HasSubstr("weight_map is missing or not an object"));
  EXPECT_THAT(open_text(R"({"weight_map":{}})"), HasSubstr("weight_map is empty"));
  EXPECT_THAT(open_text(R"({"weight_map":{"a":"s1.safetensors","a":"s2.safetensors"}})"),
              HasSubstr("duplicate key"));
}

TEST_F(Safetensors, LinksLeadIntoTheHubCacheOnly) {
  namespace fs = std::filesystem;
  const fs::path root(dir_.path());
  fs::create_directories(root / "hub/snapshots/rev");
  fs::create_directories(root / "hub/blobs");
  fs::create_directories(root / "elsewhere");
  dir_.write("hub/blobs/hash", one("a"));
  dir_.write("elsewhere/hash", one("a"));
  const fs::path model = root / "hub/snapshots/rev";
  fs::create_symlink("../../blobs/hash", model / "model.safetensors");
  EXPECT_TRUE(open_safetensors_dir(model.string()).has_value());
  fs::create_directory_symlink(model, root / "alias");
  EXPECT_TRUE(open_safetensors_dir((root / "alias").string()).has_value());

  fs::remove(model / "model.safetensors");
  fs::create_symlink("../../../elsewhere/hash", model / "model.safetensors");
  const auto outside = open_safetensors_dir(model.string());
  ASSERT_FALSE(outside.has_value());
  EXPECT_THAT(outside.error().message(), HasSubstr("/elsewhere/hash, expected a file below"));

  fs::create_symlink("blobs/hash", root / "hub/model.safetensors");  // below the directory itself
  EXPECT_TRUE(open_safetensors_dir((root / "hub").string()).has_value());
}

TEST_F(Safetensors, LinksThatLeadNowhereOrOutside) {
  namespace fs = std::filesystem;
  const fs::path file = fs::path(dir_.path()) / "model.safetensors";
  for (const char* target :
       {"/etc/passwd", "/dev/zero", "/proc/self/environ", "..", "model.safetensors", "absent"}) {
    fs::create_symlink(target, file);
    EXPECT_NE(open_dir(), "") << target;
    fs::remove(file);
  }
  // A cache whose blobs lie elsewhere is none.
  dir_.write("hash", one("a"));
  fs::create_directories(fs::path(dir_.path()) / "hub/snapshots/rev");
  fs::create_directory_symlink("..", fs::path(dir_.path()) / "hub/blobs");
  const fs::path model = fs::path(dir_.path()) / "hub/snapshots/rev";
  fs::create_symlink("../../blobs/hash", model / "model.safetensors");
  const auto outside = open_safetensors_dir(model.string());
  ASSERT_FALSE(outside.has_value());
  EXPECT_THAT(outside.error().message(), HasSubstr("expected a file below"));
}

// Opening a FIFO must not wait for a writer.
TEST_F(SafetensorsIndexed, ShardsAreRegularFiles) {
  const std::string shard = dir_.path() + "/s2.safetensors";
  for (const bool fifo : {true, false}) {
    std::filesystem::remove_all(shard);
    ASSERT_EQ(fifo ? mkfifo(shard.c_str(), 0600) : mkdir(shard.c_str(), 0700), 0);
    EXPECT_THAT(open_index(R"({"a":"s1.safetensors","b":"s2.safetensors"})"),
                HasSubstr("not a regular file"));
  }
  std::filesystem::remove_all(shard);
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  shard.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_NE(open_index(R"({"a":"s1.safetensors","b":"s2.safetensors"})"), "");
  close(server);
}

TEST_F(Safetensors, AFileThatShrinksIsAnErrorNotASignal) {
  ASSERT_EQ(open(kGood, "abcdef"), "");
  const auto source = *open_safetensors_dir(dir_.path());
  std::filesystem::resize_file(dir_.path() + "/model.safetensors", 8 + kGood.size() + 3);
  const auto tensor = source->read("a");
  ASSERT_FALSE(tensor.has_value());
  EXPECT_THAT(tensor.error().message(), HasSubstr("ends at byte"));
}

// --- writer
// ----------------------------------------------------------------------------------------------------------

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST_F(Safetensors, WriterRoundTrip) {
  const std::vector<TensorSpec> specs{
      {"a", DType::kI8, Shape({3})}, {"b", DType::kF32, Shape({2, 1})}, {"empty", DType::kBF16, Shape({0})}};
  {
    auto writer = *SafetensorsWriter::create(dir_.path(), specs);
    EXPECT_EQ(writer.total_bytes(), 11U);
    EXPECT_TRUE(writer.write("b", bytes_of("01234567")).has_value());
    EXPECT_EQ(writer.commit().error().code(), ErrorCode::kInternal);
    EXPECT_TRUE(writer.append("a", bytes_of("x")).has_value());
    EXPECT_EQ(writer.commit().error().message(), "a: 1 bytes written, 3 declared");
    EXPECT_FALSE(writer.append("a", bytes_of("yzz")).has_value());
    EXPECT_TRUE(writer.append("a", bytes_of("yz")).has_value());
    EXPECT_TRUE(writer.write("empty", {}).has_value());
    EXPECT_FALSE(writer.write("a", bytes_of("xyz")).has_value());
    EXPECT_FALSE(writer.write("c", {}).has_value());
    EXPECT_EQ(open_dir(), dir_.path() + ": has neither model.safetensors nor model.safetensors.index.json");
    ASSERT_TRUE(writer.commit().has_value());
  }
  const auto source = *open_safetensors_dir(dir_.path());
  EXPECT_EQ(source->find("b")->offset % 8, 0U);
  EXPECT_EQ(source->find("b")->shape, Shape({2, 1}));
  const Tensor a = *source->read("a");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(a.data()), a.bytes()), "xyz");
  EXPECT_EQ(dir_.files(), std::vector<std::string>{"model.safetensors"});
}

TEST_F(Safetensors, WriterShards) {
  dir_.write("model.safetensors", "stale: would be read instead of the shards");
  dir_.write("model-00004-of-00004.safetensors", "stale");
  const std::vector<TensorSpec> specs{{"a", DType::kI8, Shape({3})},
                                      {"b", DType::kI8, Shape({2})},
                                      {"c", DType::kI8, Shape({9})},
                                      {"d", DType::kI8, {}}};
  auto writer = *SafetensorsWriter::create(dir_.path(), specs, 5);
  for (const TensorSpec& spec : specs) {
    const std::string data(static_cast<size_t>(spec.shape.numel()), spec.name[0]);
    ASSERT_TRUE(writer.write(spec.name, bytes_of(data)).has_value());
  }
  ASSERT_TRUE(writer.commit().has_value());
  EXPECT_EQ(dir_.files(),
            (std::vector<std::string>{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                      "model-00003-of-00003.safetensors", "model.safetensors.index.json"}));
  ASSERT_EQ(open_dir(), "");
  const auto source = *open_safetensors_dir(dir_.path());
  EXPECT_EQ(source->find("c")->shard, 1U);
  EXPECT_EQ(source->read("d")->data()[0], std::byte{'d'});
}

TEST_F(Safetensors, WriterRefusesATensorTwice) {
  const std::vector<TensorSpec> specs{{"a", DType::kI8, Shape({3})}, {"a", DType::kI8, Shape({3})}};
  EXPECT_EQ(SafetensorsWriter::create(dir_.path(), specs).error().message(), "a: tensor declared twice");
  EXPECT_TRUE(dir_.files().empty());
}

}  // namespace
}  // namespace tessera::formats
