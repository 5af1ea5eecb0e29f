// Bodies of requests and answers. What is not named here is ignored in requests.
#include "api/openapi.h"

namespace tessera::api {
namespace {

constexpr std::string_view kText = R"json({
  "NativeError": {
    "type": "object",
    "required": ["error"],
    "properties": {
      "error": {
        "anyOf": [
          {"type": "string"},
          {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
        ]
      }
    }
  },
  "OpenAiError": {
    "type": "object",
    "properties": {
      "object": {"const": "error"},
      "message": {"type": "string"},
      "type": {"type": "string"},
      "param": {},
      "code": {"type": "integer"},
      "error": {}
    }
  },
  "NotOffered": {"type": "null", "description": "Refused if it is given: not supported yet"},
  "NotOfferedFlag": {"enum": [false, null], "description": "Refused if it is true: not supported yet"},
  "NotOfferedList": {
    "description": "Refused if there is something in it: not supported yet",
    "anyOf": [
      {"type": "null"},
      {"type": "array", "maxItems": 0},
      {"type": "object", "maxProperties": 0},
      {"type": "string", "maxLength": 0}
    ]
  },
  "SamplingFields": {
    "type": ["object", "null"],
    "properties": {
      "temperature": {"type": ["number", "null"], "minimum": 0},
      "top_p": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
      "top_k": {"anyOf": [{"type": "null"}, {"const": -1}, {"type": "integer", "minimum": 1, "maximum": 2147483647}]},
      "min_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
      "frequency_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
      "presence_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
      "repetition_penalty": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 2},
      "logit_bias": {
        "type": ["object", "null"],
        "maxProperties": 1024,
        "propertyNames": {"pattern": "^[0-9]{1,9}$"},
        "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100}
      },
      "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 256},
      "stop": {
        "anyOf": [
          {"type": "null"},
          {"type": "string", "maxLength": 256},
          {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 256}}
        ]
      },
      "stop_regex": {
        "anyOf": [
          {"type": "null"},
          {"type": "string", "maxLength": 1024},
          {"type": "array", "maxItems": 8, "items": {"type": "string", "maxLength": 1024}}
        ]
      },
      "stop_token_ids": {
        "anyOf": [
          {"type": "null"},
          {"type": "integer", "minimum": 0, "maximum": 2147483647},
          {"type": "array", "maxItems": 64, "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}}
        ]
      },
      "ignore_eos": {"type": ["boolean", "null"]},
      "skip_special_tokens": {"type": ["boolean", "null"]},
      "no_stop_trim": {"type": ["boolean", "null"]},
      "json_schema": {"$ref": "#/components/schemas/NotOffered"},
      "regex": {"$ref": "#/components/schemas/NotOffered"},
      "ebnf": {"$ref": "#/components/schemas/NotOffered"},
      "structural_tag": {"$ref": "#/components/schemas/NotOffered"},
      "lora_path": {"$ref": "#/components/schemas/NotOffered"},
      "custom_logit_processor": {"$ref": "#/components/schemas/NotOffered"},
      "return_hidden_states": {"$ref": "#/components/schemas/NotOfferedFlag"}
    }
  },
  "OpenAiFields": {
    "type": "object",
    "allOf": [{"$ref": "#/components/schemas/SamplingFields"}],
    "properties": {
      "model": {"type": ["string", "null"]},
      "rid": {"type": ["string", "null"]},
      "stream": {"type": ["boolean", "null"]},
      "stream_options": {
        "type": ["object", "null"],
        "description": "With stream: true only",
        "properties": {"include_usage": {"type": ["boolean", "null"]}, "continuous_usage_stats": {"type": ["boolean", "null"]}}
      },
      "seed": {"type": ["integer", "null"], "minimum": -9223372036854775808, "maximum": 9223372036854775807},
      "min_tokens": {"type": ["integer", "null"], "minimum": 0}
    }
  },
  "SamplingParams": {
    "type": ["object", "null"],
    "allOf": [{"$ref": "#/components/schemas/SamplingFields"}],
    "properties": {
      "max_new_tokens": {"type": ["integer", "null"], "minimum": 0, "default": 128},
      "sampling_seed": {"type": ["integer", "null"], "minimum": -9223372036854775808, "maximum": 9223372036854775807},
      "min_new_tokens": {"type": ["integer", "null"], "minimum": 0}
    }
  },
  "GenerateRequest": {
    "type": "object",
    "description": "Exactly one of text and input_ids. Lists of prompts may have lists of parameters, one each.",
    "oneOf": [
      {"required": ["text"], "properties": {"text": {"type": ["string", "array"]}}},
      {"required": ["input_ids"], "properties": {"input_ids": {"type": "array"}}}
    ],
    "properties": {
      "text": {
        "anyOf": [{"type": "null"}, {"type": "string"}, {"type": "array", "maxItems": 256, "items": {"type": "string"}}]
      },
      "input_ids": {
        "anyOf": [
          {"type": "null"},
          {"type": "array", "items": {"type": "integer", "minimum": 0}},
          {"type": "array", "maxItems": 256, "items": {"type": "array", "items": {"type": "integer", "minimum": 0}}}
        ]
      },
      "sampling_params": {
        "anyOf": [
          {"$ref": "#/components/schemas/SamplingParams"},
          {"type": "array", "items": {"$ref": "#/components/schemas/SamplingParams"}}
        ]
      },
      "rid": {"anyOf": [{"type": "null"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
      "stream": {"type": ["boolean", "null"]},
      "return_logprob": {"anyOf": [{"type": ["boolean", "null"]}, {"type": "array", "items": {"type": "boolean"}}]},
      "logprob_start_len": {
        "anyOf": [{"type": ["integer", "null"], "minimum": -1}, {"type": "array", "items": {"type": "integer", "minimum": -1}}]
      },
      "top_logprobs_num": {
        "anyOf": [
          {"type": ["integer", "null"], "minimum": 0, "maximum": 128},
          {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 128}}
        ]
      },
      "token_ids_logprob": {
        "anyOf": [
          {"type": "null"},
          {"type": "array", "items": {"type": "integer", "minimum": 0}},
          {"type": "array", "items": {"type": "array", "items": {"type": "integer", "minimum": 0}}}
        ]
      },
      "return_text_in_logprobs": {"type": ["boolean", "null"]},
      "input_embeds": {"$ref": "#/components/schemas/NotOffered"},
      "lora_path": {"$ref": "#/components/schemas/NotOffered"},
      "custom_logit_processor": {"$ref": "#/components/schemas/NotOffered"},
      "return_hidden_states": {"$ref": "#/components/schemas/NotOfferedFlag"},
      "image_data": {"$ref": "#/components/schemas/NotOfferedList"},
      "audio_data": {"$ref": "#/components/schemas/NotOfferedList"},
      "video_data": {"$ref": "#/components/schemas/NotOfferedList"},
      "session_params": {"$ref": "#/components/schemas/NotOfferedList"}
    }
  },
  "Generation": {
    "type": "object",
    "required": ["text", "output_ids", "meta_info"],
    "properties": {
      "text": {"type": "string"},
      "output_ids": {"type": "array", "items": {"type": "integer", "minimum": 0}},
      "meta_info": {
        "type": "object",
        "required": ["id", "finish_reason", "prompt_tokens", "completion_tokens", "cached_tokens"],
        "properties": {
          "id": {"type": "string"},
          "finish_reason": {"type": ["object", "null"]},
          "prompt_tokens": {"type": "integer"},
          "completion_tokens": {"type": "integer"},
          "cached_tokens": {"type": "integer"},
          "weight_version": {"type": "string"},
          "total_retractions": {"type": "integer"},
          "e2e_latency": {"type": "number"}
        }
      }
    }
  },
  "Message": {
    "type": "object",
    "required": ["role"],
    "properties": {
      "role": {"enum": ["system", "developer", "user", "assistant", "tool", "function"]},
      "content": {
        "anyOf": [
          {"type": "null"},
          {"type": "string"},
          {
            "type": "array",
            "items": {
              "type": "object",
              "required": ["type", "text"],
              "properties": {"type": {"const": "text"}, "text": {"type": "string"}}
            }
          }
        ]
      },
      "tool_calls": {
        "anyOf": [
          {"type": "null"},
          {
            "type": "array",
            "items": {"type": "object", "required": ["function"], "properties": {"function": {"type": "object"}}}
          }
        ]
      }
    }
  },
  "ChatRequest": {
    "type": "object",
    "required": ["messages"],
    "description": "tools and every response_format but text are refused, not ignored.",
    "allOf": [{"$ref": "#/components/schemas/OpenAiFields"}],
    "properties": {
      "messages": {"type": "array", "minItems": 1, "maxItems": 4096, "items": {"$ref": "#/components/schemas/Message"}},
      "max_tokens": {"type": ["integer", "null"], "minimum": 0},
      "max_completion_tokens": {"type": ["integer", "null"], "minimum": 0},
      "logprobs": {"type": ["boolean", "null"]},
      "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20, "description": "With logprobs: true only"},
      "chat_template_kwargs": {"type": ["object", "null"]},
      "response_format": {"type": ["object", "null"], "properties": {"type": {"const": "text"}}},
      "tools": {"$ref": "#/components/schemas/NotOfferedList"},
      "functions": {"$ref": "#/components/schemas/NotOfferedList"},
      "input_ids": {"$ref": "#/components/schemas/NotOffered"},
      "continue_final_message": {"$ref": "#/components/schemas/NotOfferedFlag"}
    }
  },
  "CompletionRequest": {
    "type": "object",
    "required": ["prompt"],
    "allOf": [{"$ref": "#/components/schemas/OpenAiFields"}],
    "properties": {
      "prompt": {
        "anyOf": [
          {"type": "string"},
          {"type": "array", "items": {"type": "integer", "minimum": 0}},
          {
            "type": "array",
            "maxItems": 256,
            "items": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0}}]}
          }
        ]
      },
      "max_tokens": {"type": ["integer", "null"], "minimum": 0, "default": 16},
      "echo": {"type": ["boolean", "null"]},
      "logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
      "best_of": {"type": ["integer", "null"], "minimum": 1, "maximum": 256, "description": "At least n; n with stream: true"},
      "suffix": {"$ref": "#/components/schemas/NotOfferedList"},
      "response_format": {"$ref": "#/components/schemas/NotOffered"}
    }
  },
  "VectorFields": {
    "type": "object",
    "properties": {
      "dimensions": {
        "type": ["integer", "null"],
        "minimum": 1,
        "description": "The first so many numbers of the model's hidden state, brought to length 1 again"
      },
      "pooling": {
        "enum": ["last", "mean", null],
        "description": "Of the last token's hidden state or of the mean of all; null: as --pooling says"
      },
      "stream": {"$ref": "#/components/schemas/NotOfferedFlag"},
      "lora_path": {"$ref": "#/components/schemas/NotOffered"}
    }
  },
  "EmbeddingRequest": {
    "type": "object",
    "required": ["input"],
    "allOf": [{"$ref": "#/components/schemas/VectorFields"}],
    "properties": {
      "input": {
        "anyOf": [
          {"type": "string"},
          {"type": "array", "items": {"type": "integer", "minimum": 0}},
          {
            "type": "array",
            "maxItems": 1024,
            "items": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer", "minimum": 0}}]}
          }
        ]
      },
      "model": {"type": ["string", "null"]},
      "encoding_format": {
        "enum": ["float", "base64", null],
        "description": "base64: of the numbers as little-endian float32"
      },
      "rid": {"type": ["string", "null"]}
    }
  },
  "EncodeRequest": {
    "type": "object",
    "description": "Exactly one of text and input_ids",
    "allOf": [{"$ref": "#/components/schemas/VectorFields"}],
    "oneOf": [
      {"required": ["text"], "properties": {"text": {"type": ["string", "array"]}}},
      {"required": ["input_ids"], "properties": {"input_ids": {"type": "array"}}}
    ],
    "properties": {
      "text": {
        "anyOf": [{"type": "null"}, {"type": "string"}, {"type": "array", "maxItems": 1024, "items": {"type": "string"}}]
      },
      "input_ids": {
        "anyOf": [
          {"type": "null"},
          {"type": "array", "items": {"type": "integer", "minimum": 0}},
          {"type": "array", "maxItems": 1024, "items": {"type": "array", "items": {"type": "integer", "minimum": 0}}}
        ]
      },
      "rid": {"anyOf": [{"type": "null"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
      "is_cross_encoder_request": {"$ref": "#/components/schemas/NotOfferedFlag"},
      "image_data": {"$ref": "#/components/schemas/NotOfferedList"},
      "audio_data": {"$ref": "#/components/schemas/NotOfferedList"},
      "video_data": {"$ref": "#/components/schemas/NotOfferedList"}
    }
  },
  "Vector": {
    "anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string", "contentEncoding": "base64"}]
  },
  "Embeddings": {
    "type": "object",
    "required": ["object", "data", "model", "usage"],
    "properties": {
      "object": {"const": "list"},
      "data": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["object", "index", "embedding"],
          "properties": {
            "object": {"const": "embedding"},
            "index": {"type": "integer", "minimum": 0},
            "embedding": {"$ref": "#/components/schemas/Vector"}
          }
        }
      },
      "model": {"type": "string"},
      "usage": {"$ref": "#/components/schemas/Usage"}
    }
  },
  "Encoding": {
    "type": "object",
    "required": ["embedding", "meta_info"],
    "properties": {
      "embedding": {"type": "array", "items": {"type": "number"}},
      "meta_info": {"type": "object", "required": ["id", "finish_reason", "prompt_tokens"]}
    }
  },
  "Usage": {
    "type": ["object", "null"],
    "properties": {
      "prompt_tokens": {"type": "integer"},
      "completion_tokens": {"type": "integer"},
      "total_tokens": {"type": "integer"},
      "prompt_tokens_details": {"type": "object", "properties": {"cached_tokens": {"type": "integer"}}}
    }
  },
  "ChatCompletion": {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
      "id": {"type": "string"},
      "object": {"const": "chat.completion"},
      "created": {"type": "integer"},
      "model": {"type": "string"},
      "choices": {"type": "array", "items": {"type": "object", "required": ["index", "message", "finish_reason"]}},
      "usage": {"$ref": "#/components/schemas/Usage"}
    }
  },
  "Completion": {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
      "id": {"type": "string"},
      "object": {"const": "text_completion"},
      "created": {"type": "integer"},
      "model": {"type": "string"},
      "choices": {"type": "array", "items": {"type": "object", "required": ["index", "text", "finish_reason"]}},
      "usage": {"$ref": "#/components/schemas/Usage"}
    }
  },
  "Model": {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
      "id": {"type": "string"},
      "object": {"const": "model"},
      "created": {"type": "integer"},
      "owned_by": {"type": "string"},
      "root": {"type": "string"},
      "parent": {"type": "null"},
      "max_model_len": {"type": "integer"}
    }
  },
  "Models": {
    "type": "object",
    "required": ["object", "data"],
    "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}}
  },
  "ModelInfo": {
    "type": "object",
    "required": ["model_path", "tokenizer_path", "is_generation"],
    "properties": {"model_path": {"type": "string"}, "tokenizer_path": {"type": "string"}, "is_generation": {"type": "boolean"}}
  },
  "ServerInfo": {
    "type": "object",
    "required": ["model_path", "served_model_name", "max_total_num_tokens", "internal_states", "version"],
    "properties": {
      "max_total_num_tokens": {"type": "integer", "minimum": 0},
      "internal_states": {"type": "array", "items": {"type": "object"}},
      "version": {"type": "string"}
    }
  },
  "Loads": {
    "type": "object",
    "required": ["timestamp", "version", "loads", "aggregate"],
    "properties": {"loads": {"type": "array", "items": {"type": "object"}}, "aggregate": {"type": ["object", "null"]}}
  },
  "AbortRequest": {
    "type": "object",
    "description": "rid, or abort_all: true",
    "properties": {"rid": {"type": ["string", "null"]}, "abort_all": {"type": ["boolean", "null"]}}
  },
  "TokenizeRequest": {
    "type": "object",
    "required": ["prompt"],
    "properties": {
      "model": {"type": ["string", "null"]},
      "prompt": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
      "add_special_tokens": {"type": ["boolean", "null"]}
    }
  },
  "Tokens": {
    "type": "object",
    "required": ["tokens", "count", "max_model_len"],
    "properties": {
      "tokens": {"type": "array"},
      "count": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
      "max_model_len": {"type": "integer"}
    }
  },
  "DetokenizeRequest": {
    "type": "object",
    "required": ["tokens"],
    "properties": {
      "model": {"type": ["string", "null"]},
      "tokens": {
        "anyOf": [
          {"type": "array", "items": {"type": "integer", "minimum": 0}},
          {"type": "array", "items": {"type": "array", "items": {"type": "integer", "minimum": 0}}}
        ]
      },
      "skip_special_tokens": {"type": ["boolean", "null"]}
    }
  },
  "Texts": {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}}
  }
})json";

}  // namespace

std::string_view openapi_schemas() {
  return kText;
}

}  // namespace tessera::api
