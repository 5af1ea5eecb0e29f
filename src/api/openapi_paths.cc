// What each path of the interface does. "$same" stands for
// another path, or another method of this path. Errors, the same everywhere, are added by openapi.cc.
#include "api/openapi.h"

namespace tessera::api {
namespace {

constexpr std::string_view kText = R"json({
  "/v1/chat/completions": {
    "post": {
      "summary": "Answer a conversation",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ChatRequest"}}}},
      "responses": {
        "200": {
          "description": "Done",
          "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ChatCompletion"}},
            "text/event-stream": {"schema": {"type": "string"}}
          }
        }
      }
    }
  },
  "/v1/completions": {
    "post": {
      "summary": "Continue one or several texts",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CompletionRequest"}}}
      },
      "responses": {
        "200": {
          "description": "Done",
          "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Completion"}},
            "text/event-stream": {"schema": {"type": "string"}}
          }
        }
      }
    }
  },
  "/v1/embeddings": {
    "post": {
      "summary": "Texts as vectors of length 1",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EmbeddingRequest"}}}
      },
      "responses": {
        "200": {
          "description": "Done",
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Embeddings"}}}
        }
      }
    }
  },
  "/v1/models": {
    "get": {
      "summary": "The served model, as a list of one",
      "responses": {
        "200": {"description": "Done", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Models"}}}}
      }
    }
  },
  "/v1/models/{id}": {
    "get": {
      "summary": "The served model, if it is called so",
      "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "responses": {
        "200": {"description": "Done", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Model"}}}}
      }
    }
  },
  "/v1/tokenize": {"$same": "/tokenize"},
  "/v1/detokenize": {"$same": "/detokenize"},
  "/v1/loads": {
    "get": {
      "summary": "Requests and tokens at present",
      "parameters": [
        {
          "name": "include",
          "in": "query",
          "required": false,
          "description": "Ignored: all there is, is told",
          "schema": {"type": "string"}
        },
        {
          "name": "dp_rank",
          "in": "query",
          "required": false,
          "description": "Of this rank only; there is rank 0",
          "schema": {"type": "string"}
        },
        {
          "name": "format",
          "in": "query",
          "required": false,
          "description": "json is the only one",
          "schema": {"type": "string", "enum": ["json"]}
        }
      ],
      "responses": {
        "200": {"description": "Done", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Loads"}}}}
      }
    }
  },
  "/generate": {
    "post": {
      "summary": "Continue one or several prompts",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GenerateRequest"}}}
      },
      "responses": {
        "200": {
          "description": "Done",
          "content": {
            "application/json": {
              "schema": {
                "anyOf": [
                  {"$ref": "#/components/schemas/Generation"},
                  {"type": "array", "items": {"$ref": "#/components/schemas/Generation"}}
                ]
              }
            },
            "text/event-stream": {"schema": {"type": "string"}}
          }
        }
      }
    },
    "put": {"$same": "post"}
  },
  "/encode": {
    "post": {
      "summary": "Prompts as vectors of length 1",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EncodeRequest"}}}
      },
      "responses": {
        "200": {
          "description": "Done",
          "content": {
            "application/json": {
              "schema": {
                "anyOf": [
                  {"$ref": "#/components/schemas/Encoding"},
                  {"type": "array", "items": {"$ref": "#/components/schemas/Encoding"}}
                ]
              }
            }
          }
        }
      }
    },
    "put": {"$same": "post"}
  },
  "/tokenize": {
    "post": {
      "summary": "Text to token ids",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TokenizeRequest"}}}
      },
      "responses": {
        "200": {"description": "Done", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tokens"}}}}
      }
    }
  },
  "/detokenize": {
    "post": {
      "summary": "Token ids to text",
      "requestBody": {
        "required": true,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DetokenizeRequest"}}}
      },
      "responses": {
        "200": {"description": "Done", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Texts"}}}}
      }
    }
  },
  "/get_model_info": {"$same": "/model_info"},
  "/model_info": {
    "get": {
      "summary": "What the model is",
      "responses": {
        "200": {
          "description": "Done",
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ModelInfo"}}}
        }
      }
    }
  },
  "/get_server_info": {"$same": "/server_info"},
  "/server_info": {
    "get": {
      "summary": "Options, limits and load",
      "responses": {
        "200": {
          "description": "Done",
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ServerInfo"}}}
        }
      }
    }
  },
  "/get_load": {
    "get": {
      "summary": "Requests and tokens at present",
      "responses": {
        "200": {
          "description": "Done",
          "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
        }
      }
    }
  },
  "/flush_cache": {
    "get": {
      "summary": "Forget the prefixes kept for reuse; 400 while requests run or wait",
      "parameters": [
        {
          "name": "timeout",
          "in": "query",
          "required": false,
          "description": "Seconds to wait for them",
          "schema": {"type": "number", "minimum": 0}
        }
      ],
      "responses": {"200": {"description": "Done", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    },
    "post": {"$same": "get"}
  },
  "/abort_request": {
    "post": {
      "summary": "End a request by its name, or all of them",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AbortRequest"}}}},
      "responses": {"200": {"description": "Done"}}
    }
  },
  "/health": {"get": {"summary": "Whether requests are taken", "responses": {"200": {"description": "Done"}}, "security": []}},
  "/health_generate": {
    "get": {"summary": "Whether the engine makes progress", "responses": {"200": {"description": "Done"}}, "security": []}
  },
  "/metrics": {
    "get": {
      "summary": "Numbers for Prometheus",
      "responses": {"200": {"description": "Done", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    }
  },
  "/openapi.json": {
    "get": {
      "summary": "This description",
      "responses": {"200": {"description": "Done", "content": {"application/json": {"schema": {"type": "object"}}}}}
    }
  }
})json";

}  // namespace

std::string_view openapi_paths() {
  return kText;
}

}  // namespace tessera::api
