"""One model in a peer's shared library, in this process, through ctypes: prompt processing and batched decoding by llama_decode.

Two interfaces: llama.cpp 0.5.0, whose structures are written down here, and ik_llama.cpp, whose Python package brings its own.
"""
import ctypes
import math
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int, c_int8, c_int32, c_size_t, c_uint32, c_void_p
from pathlib import Path


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", POINTER(c_float)), ("pos", POINTER(c_int32)),
                ("n_seq_id", POINTER(c_int32)), ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8))]


class ModelParams(ctypes.Structure):
    _fields_ = [("devices", c_void_p), ("tensor_buft_overrides", c_void_p), ("n_gpu_layers", c_int32), ("split_mode", c_int),
                ("load_mode", c_int), ("lazy_mode", c_int), ("main_gpu", c_int32), ("tensor_split", c_void_p),
                ("progress_callback", c_void_p), ("progress_callback_user_data", c_void_p), ("kv_overrides", c_void_p),
                ("vocab_only", c_bool), ("check_tensors", c_bool), ("use_extra_bufts", c_bool), ("no_host", c_bool),
                ("no_alloc", c_bool), ("load_mtp", c_bool)]


class ContextParams(ctypes.Structure):
    _fields_ = [(name, c_uint32) for name in ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq", "n_outputs_max",
                                              "n_outputs_max_per_seq")]
    _fields_ += [(name, c_int32) for name in ("n_threads", "n_threads_batch")]
    _fields_ += [(name, c_int) for name in ("ctx_type", "rope_scaling_type", "pooling_type", "attention_type", "flash_attn_type")]
    _fields_ += [(name, c_float) for name in ("rope_freq_base", "rope_freq_scale", "yarn_ext_factor", "yarn_attn_factor",
                                              "yarn_beta_fast", "yarn_beta_slow")]
    _fields_ += [("yarn_orig_ctx", c_uint32), ("defrag_thold", c_float), ("cb_eval", c_void_p), ("cb_eval_user_data", c_void_p),
                 ("type_k", c_int), ("type_v", c_int), ("abort_callback", c_void_p), ("abort_callback_data", c_void_p)]
    _fields_ += [(name, c_bool) for name in ("embeddings", "offload_kqv", "no_perf", "op_offload", "swa_full", "kv_unified")]
    _fields_ += [("samplers", c_void_p), ("n_samplers", c_size_t), ("ctx_other", c_void_p)]


class QuantizeParams(ctypes.Structure):
    _fields_ = [(name, c_int) for name in ("nthread", "ftype", "output_tensor_type", "token_embedding_type")]
    _fields_ += [(name, c_bool) for name in ("allow_requantize", "quantize_output_tensor", "only_copy", "pure", "keep_split", "dry_run")]
    _fields_ += [(name, c_void_p) for name in ("imatrix", "kv_overrides", "tt_overrides", "prune_layers")] + [("max_buf_size", c_size_t)]


FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "q4_k_m": 15, "q5_k_m": 17}  # llama_ftype


def check_size(library, name, structure):
    """A structure of another version would be read shifted: the library must fill exactly as many bytes as are declared here.

    x86-64: what returns a large structure takes the address to write it to as a hidden first argument."""
    size = ctypes.sizeof(structure)
    room = (ctypes.c_uint8 * (size + 256))(*[0xA5] * (size + 256))
    function = library[name]
    function.restype, function.argtypes = c_void_p, [c_void_p]
    function(ctypes.addressof(room))
    written = max((i + 1 for i, byte in enumerate(room) if byte != 0xA5), default=0)
    if not size - 8 < written <= size:  # up to 7 bytes of padding at its end stay as they were
        raise RuntimeError(f"{name} fills {written} bytes, expected {size}: another version of llama.cpp")


class LlamaCpp:
    """The functions that Engine calls, of llama.cpp 0.5.0: `directory` holds its shared libraries."""

    def __init__(self, directory):
        ggml = ctypes.CDLL(str(next(Path(directory).glob("libggml.*so"))), mode=ctypes.RTLD_GLOBAL)
        ggml.ggml_backend_load_all_from_path.argtypes = [c_char_p]
        ggml.ggml_backend_load_all_from_path(str(directory).encode())
        self.library = library = ctypes.CDLL(str(next(Path(directory).glob("libllama.*so"))))
        check_size(library, "llama_model_default_params", ModelParams)
        check_size(library, "llama_context_default_params", ContextParams)
        signatures = {
            "llama_backend_init": (None, []), "llama_model_default_params": (ModelParams, []),
            "llama_context_default_params": (ContextParams, []), "llama_model_load_from_file": (c_void_p, [c_char_p, ModelParams]),
            "llama_init_from_model": (c_void_p, [c_void_p, ContextParams]), "llama_batch_init": (Batch, [c_int32] * 3),
            "llama_decode": (c_int32, [c_void_p, Batch]), "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
            "llama_get_memory": (c_void_p, [c_void_p]), "llama_memory_clear": (None, [c_void_p, c_bool]),
            "llama_free": (None, [c_void_p]), "llama_synchronize": (None, [c_void_p]), "llama_print_system_info": (c_char_p, [])}
        for name, (result, arguments) in signatures.items():
            function = library[name]
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def quantize(self, source, target, kind, threads):
        """Writes the GGUF file `target`: `source`'s weights as llama.cpp rounds them to `kind`, without an importance matrix."""
        check_size(self.library, "llama_model_quantize_default_params", QuantizeParams)
        default, run = self.library["llama_model_quantize_default_params"], self.library["llama_model_quantize"]
        default.restype, default.argtypes = QuantizeParams, []
        run.restype, run.argtypes = c_uint32, [c_char_p, c_char_p, POINTER(QuantizeParams)]
        params = default()
        params.nthread, params.ftype = threads, FILE_TYPES[kind]
        if run(str(source).encode(), str(target).encode(), ctypes.byref(params)) != 0:
            raise RuntimeError(f"{source}: the library refuses to make {kind} of it")

    def clear(self, context):
        self.llama_memory_clear(self.llama_get_memory(context), True)

    def system_info(self):
        return self.llama_print_system_info().decode()

    def model_params(self):
        return self.llama_model_default_params()  # weights are repacked by default

    def context_params(self, _):
        params = self.llama_context_default_params()
        params.kv_unified = False  # faster when sequences share no prefix, says llama.h
        return params


class IkLlama:
    """The same of ik_llama.cpp, whose package `ik_llama_cpp` is on the path."""

    def __init__(self, _):
        from ik_llama_cpp import _ctypes_api as api
        names = ("llama_backend_init", "llama_model_default_params", "llama_context_default_params", "llama_model_load_from_file",
                 "llama_init_from_model", "llama_batch_init", "llama_decode", "llama_get_logits_ith", "llama_kv_cache_clear",
                 "llama_free")
        for name in names:
            setattr(self, name, getattr(api, name))

    def clear(self, context):
        self.llama_kv_cache_clear(context)

    def system_info(self):
        return ""  # its package does not declare the function

    def model_params(self):
        params = self.llama_model_default_params()
        params.repack_tensors = True  # -rtr: its fastest kernels read interleaved rows
        return params

    def context_params(self, sequences):
        params = self.llama_context_default_params()
        # Of several sequences its flash attention aborts: a block of the cache without one visible token (S > 0).
        params.flash_attn = sequences == 1
        return params

    def llama_synchronize(self, _):
        """llama_decode has computed when it returns: there is one backend, the CPU."""


class Engine:
    def __init__(self, api, path, threads):
        self.api, self.threads, self.context = api, threads, None
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(str(path).encode(), api.model_params())
        if not self.model:
            raise RuntimeError(f"{path}: the library refuses to load it")

    def open(self, sequences, tokens_each, ubatch):
        """A context for that many sequences; the one before is closed."""
        if self.context:
            self.api.llama_free(self.context)
        params = self.api.context_params(sequences)
        params.n_ctx = sequences * -(-tokens_each // 256) * 256
        params.n_batch = max(2048, sequences)
        params.n_ubatch = ubatch
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = self.threads
        self.context = self.api.llama_init_from_model(self.model, params)
        if not self.context:
            raise RuntimeError(f"no context for {sequences} sequences of {tokens_each} tokens")
        self.batch = self.api.llama_batch_init(max(2048, sequences), 0, 1)

    def decode(self, items):
        """One llama_decode over items of (token, position, sequence, wants logits)."""
        batch = self.batch
        batch.n_tokens = len(items)
        for i, (token, position, sequence, wanted) in enumerate(items):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, 1, wanted
            batch.seq_id[i][0] = sequence
        status = self.api.llama_decode(self.context, batch)
        if status != 0:
            raise RuntimeError(f"llama_decode of {len(items)} tokens returned {status}")
        self.api.llama_synchronize(self.context)

    def check_logits(self, row, count=1000):
        logits = self.api.llama_get_logits_ith(self.context, row)
        values = [logits[i] for i in range(count)]
        if not all(math.isfinite(value) for value in values) or max(values) == min(values):
            raise RuntimeError("the logits are not numbers that differ: nothing was computed")
