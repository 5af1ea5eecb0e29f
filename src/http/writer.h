// The ResponseWriter of a Connection: posts every call to the connection's strand.
#pragma once

#include <cstdint>
#include <memory>

#include "http/server.h"

namespace tessera::http {

class Connection;

std::shared_ptr<ResponseWriter> make_writer(std::shared_ptr<Connection> connection, uint64_t answer);

}  // namespace tessera::http
