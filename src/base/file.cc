#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tessera {
namespace {

int64_t modified_ns(const struct stat& info) {
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

}  // namespace

Result<InputFile> InputFile::open(const std::filesystem::path& path) {
  InputFile file;
  file.path_ = path;
  // Without O_NONBLOCK, opening a FIFO would wait for a writer; regular files do not care.
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.fd_ < 0) return not_found("{}: cannot open: {}", path.string(), std::strerror(errno));
  struct stat info{};
  if (fstat(file.fd_, &info) != 0)
    return not_found("{}: cannot stat: {}", path.string(), std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return invalid_argument("{}: not a regular file", path.string());
  file.size_ = static_cast<uint64_t>(info.st_size);
  file.modified_ns_ = modified_ns(info);
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      modified_ns_(other.modified_ns_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    path_ = std::move(other.path_);
    fd_ = std::exchange(other.fd_, -1);
    size_ = other.size_;
    modified_ns_ = other.modified_ns_;
  }
  return *this;
}

InputFile::~InputFile() {
  if (fd_ >= 0) close(fd_);
}

Status InputFile::read_at(uint64_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return data_corrupt("{}: cannot read at byte {}: {}", path_.string(), offset + done,
                          std::strerror(errno));
    if (n == 0) {
      return data_corrupt("{}: ends at byte {}, expected at least {}", path_.string(), offset + done,
                          offset + out.size());
    }
    done += static_cast<size_t>(n);
  }
  return {};
}

void InputFile::will_read(uint64_t offset, uint64_t bytes) const {
  posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

Status InputFile::check_unchanged() const {
  struct stat info{};
  if (fstat(fd_, &info) != 0)
    return internal_error("{}: cannot stat: {}", path_.string(), std::strerror(errno));
  if (std::cmp_equal(info.st_size, size_) && modified_ns(info) == modified_ns_) return {};
  return data_corrupt("{}: was written to while it was read, expected a file that nobody changes",
                      path_.string());
}

Result<std::string> read_text_file(const std::filesystem::path& path, uint64_t max_bytes) {
  const InputFile file = TRY(InputFile::open(path));
  if (file.size() > max_bytes) {
    return resource_exhausted("{}: {} bytes, expected at most {}", path.string(), file.size(), max_bytes);
  }
  std::string text(file.size(), '\0');
  TRY_STATUS(file.read_at(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
  return text;
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
  OutputFile file;
  file.path_ = path;
  file.temporary_ = path.string() + ".tmp." + std::to_string(getpid());
  file.fd_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file.fd_ < 0) {
    return invalid_argument("{}: cannot create: {}", file.temporary_.string(), std::strerror(errno));
  }
  return file;
}

Result<OutputFile> OutputFile::go_on(const std::filesystem::path& path) {
  OutputFile file;
  file.path_ = path;
  file.temporary_ = path.string() + ".partial";
  file.fd_ = ::open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  struct stat info{};
  if (file.fd_ < 0 || fstat(file.fd_, &info) != 0)
    return invalid_argument("{}: cannot create: {}", file.temporary_.string(), std::strerror(errno));
  file.stays_ = true;
  if (flock(file.fd_, LOCK_EX | LOCK_NB) != 0)
    return unavailable("{}: another process writes it", file.temporary_.string());
  file.stays_ = info.st_size > 0;
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)),
      end_(other.end_),
      stays_(other.stays_) {}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  close(fd_);
  if (!stays_) unlink(temporary_.c_str());
}

Status OutputFile::append(std::span<const std::byte> bytes) {
  return write_at(end_, bytes);
}

Status OutputFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return resource_exhausted("{}: cannot write: {}", temporary_.string(), std::strerror(errno));
    done += static_cast<size_t>(n);
  }
  end_ = std::max(end_, offset + bytes.size());
  return {};
}

Status OutputFile::sync() {
  if (fdatasync(fd_) != 0)
    return resource_exhausted("{}: cannot write: {}", temporary_.string(), std::strerror(errno));
  stays_ = true;
  return {};
}

Status OutputFile::commit() {
  if (fsync(fd_) != 0 || close(std::exchange(fd_, -1)) != 0 ||
      rename(temporary_.c_str(), path_.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    unlink(temporary_.c_str());
    return resource_exhausted("{}: cannot write: {}", path_.string(), reason);
  }
  return {};
}

Status write_text_file(const std::filesystem::path& path, std::string_view text) {
  OutputFile file = TRY(OutputFile::create(path));
  TRY_STATUS(file.append(std::as_bytes(std::span(text.data(), text.size()))));
  return file.commit();
}

}  // namespace tessera
