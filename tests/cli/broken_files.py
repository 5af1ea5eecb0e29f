"""Ways to break the files of a model directory: each a function (folder) -> None that spoils a good copy."""
import json
import struct


def edit_json(name, change):
    """A breaker that loads NAME, lets `change` alter the object, and writes it back."""
    def breaker(folder):
        path = folder / name
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value))
    return breaker


def replace(name, data):
    def breaker(folder):
        (folder / name).write_bytes(data)
    return breaker


def truncate(name, keep):
    """Keeps a share (< 1) or a number of bytes of the file."""
    def breaker(folder):
        path = folder / name
        data = path.read_bytes()
        path.write_bytes(data[:int(len(data) * keep) if keep < 1 else keep])
    return breaker


def remove(name):
    def breaker(folder):
        (folder / name).unlink()
    return breaker


def patch(name, offset, data):
    def breaker(folder):
        path = folder / name
        old = path.read_bytes()
        path.write_bytes(old[:offset] + data + old[offset + len(data):])
    return breaker


def safetensors_header(change, name="model.safetensors"):
    """Lets `change` alter the header of a safetensors file; the data stays."""
    def breaker(folder):
        path = folder / name
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + length])
        change(header)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length:])
    return breaker


Q_PROJ = "model.layers.0.self_attn.q_proj.weight"


def _widen_offsets(header):
    header[Q_PROJ]["data_offsets"][1] += 1 << 40


def _wrong_shape(header):
    header[Q_PROJ]["shape"].reverse()
    header[Q_PROJ]["shape"][0] *= 2


def _rename(header):
    header["model.layers.0.self_attn.x_proj.weight"] = header.pop(Q_PROJ)


def _overlap(header):
    first, second = [entry for name, entry in header.items() if name != "__metadata__"][:2]
    second["data_offsets"] = first["data_offsets"]


SAFETENSORS = {
    "empty": replace("model.safetensors", b""),
    "seven bytes": truncate("model.safetensors", 7),
    "half": truncate("model.safetensors", 0.5),
    "one byte short": lambda folder: truncate("model.safetensors", (folder / "model.safetensors").stat().st_size - 1)(folder),
    "header length lies": patch("model.safetensors", 0, struct.pack("<Q", 1 << 62)),
    "header is no JSON": patch("model.safetensors", 8, b"{{{{"),
    "offsets beyond the file": safetensors_header(_widen_offsets),
    "shape contradicts bytes": safetensors_header(_wrong_shape),
    "tensors overlap": safetensors_header(_overlap),
    "unknown dtype": safetensors_header(lambda h: h[Q_PROJ].update(dtype="Q9")),
    "tensor missing and left over": safetensors_header(_rename),
    "file absent": remove("model.safetensors"),
}

_INDEX = "model.safetensors.index.json"
_SHARD = "model-00001-of-00002.safetensors"


def _first_weight(index, shard):
    index["weight_map"][next(iter(index["weight_map"]))] = shard


INDEX = {
    "no JSON": replace(_INDEX, b"{"),
    "no weight_map": replace(_INDEX, b"{}"),
    "weight_map is a list": edit_json(_INDEX, lambda i: i.update(weight_map=[])),
    "shard outside the folder": edit_json(_INDEX, lambda i: _first_weight(i, "../model.safetensors")),
    "absolute shard": edit_json(_INDEX, lambda i: _first_weight(i, "/etc/passwd")),
    "shard absent": remove(_SHARD),
    "shard truncated": truncate(_SHARD, 0.5),
    "tensor that no shard has": edit_json(_INDEX, lambda i: i["weight_map"].update({"model.extra.weight": _SHARD})),
    "tensor in the wrong shard": edit_json(_INDEX, lambda i: [_first_weight(i, s) for s in reversed(sorted(set(i["weight_map"].values())))
                                                             if s != next(iter(i["weight_map"].values()))]),
}

CONFIG = {
    "absent": remove("config.json"),
    "truncated": truncate("config.json", 0.5),
    "no object": replace("config.json", b"[]"),
    "duplicate keys": lambda folder: replace("config.json", b'{"model_type": "llama", ' + (folder / "config.json").read_bytes().lstrip()[1:])(folder),
    "not UTF-8": lambda folder: replace("config.json", (folder / "config.json").read_bytes().replace(b"silu", b"si\xff\xfe"))(folder),
    "unknown architecture": edit_json("config.json", lambda c: c.update(architectures=["GemmaOfTomorrowForCausalLM"])),
    "architecture of the wrong type": edit_json("config.json", lambda c: c.update(architectures=7)),
    "heads do not divide": edit_json("config.json", lambda c: c.update(num_key_value_heads=3)),
    "heads are zero": edit_json("config.json", lambda c: c.update(num_attention_heads=0)),
    "layers are negative": edit_json("config.json", lambda c: c.update(num_hidden_layers=-1)),
    "layers are too many": edit_json("config.json", lambda c: c.update(num_hidden_layers=10**9)),
    "hidden size is huge": edit_json("config.json", lambda c: c.update(hidden_size=2**40)),
    "hidden size is text": edit_json("config.json", lambda c: c.update(hidden_size="64")),
    "vocabulary lies": edit_json("config.json", lambda c: c.update(vocab_size=513)),
    "unknown rope": edit_json("config.json", lambda c: c.update(rope_parameters=None, rope_scaling={"rope_type": "spiral", "factor": 2.0})),
    "unknown activation": edit_json("config.json", lambda c: c.update(hidden_act="sine")),
}

TOKENIZER = {
    "absent": remove("tokenizer.json"),
    "empty": replace("tokenizer.json", b""),
    "truncated": truncate("tokenizer.json", 0.5),
    "no tokenizer": replace("tokenizer.json", b'{"version": "1.0"}'),
    "unknown model": replace("tokenizer.json", b'{"version": "1.0", "model": {"type": "Oracle"}}'),
}


def _weights(change):
    return edit_json("config.json", lambda c: change(c["quantization_config"]["config_groups"]["group_0"]["weights"]))


QUANTIZATION = {
    "unknown method": edit_json("config.json", lambda c: c["quantization_config"].update(quant_method="alchemy")),
    "no method": edit_json("config.json", lambda c: c["quantization_config"].pop("quant_method")),
    "no object": edit_json("config.json", lambda c: c.update(quantization_config=[])),
    "unknown format": edit_json("config.json", lambda c: c["quantization_config"]["config_groups"]["group_0"].update(format="marlin-24")),
    "bits lie": _weights(lambda w: w.update(num_bits=4)),
    "bits are absurd": _weights(lambda w: w.update(num_bits=77)),
    "bits are text": _weights(lambda w: w.update(num_bits="eight")),
    "groups lie": _weights(lambda w: w.update(strategy="group", group_size=32)),
    "unsupported type": _weights(lambda w: w.update(type="float")),
    "hostile pattern": edit_json("config.json", lambda c: c["quantization_config"]["config_groups"]["group_0"].update(targets=["re:" + "(" * 5000])),
    "scale absent": safetensors_header(lambda h: h.pop("model.layers.0.self_attn.q_proj.weight_scale")),
    "scale of the wrong shape": safetensors_header(lambda h: h["model.layers.0.self_attn.q_proj.weight_scale"].update(shape=[1, 192])),
}


_DESCRIPTION = "quant_model_description.json"
_LINEAR = "model.layers.1.mlp.up_proj"


def _description(change):
    return edit_json(_DESCRIPTION, change)


MODELSLIM = {
    "absent": remove(_DESCRIPTION),
    "empty": replace(_DESCRIPTION, b""),
    "truncated": truncate(_DESCRIPTION, 0.5),
    "no object": replace(_DESCRIPTION, b"[]"),
    "deep": replace(_DESCRIPTION, b'{"metadata":' + b"[" * 100000),
    "duplicate key": replace(_DESCRIPTION, b'{"a.weight":"FLOAT","a.weight":"W8A8"}'),
    "type is a number": _description(lambda d: d.update({_LINEAR + ".weight": 4})),
    "unknown type": _description(lambda d: d.update({_LINEAR + ".weight": "W3A3"})),
    "another type": _description(lambda d: d.update({_LINEAR + ".weight": "W8A8"})),
    "types disagree": _description(lambda d: d.update({_LINEAR + ".weight_scale": "W8A8_DYNAMIC"})),
    "float of integers": _description(lambda d: d.update({_LINEAR + ".weight": "FLOAT"})),
    "not described": _description(lambda d: d.pop(_LINEAR + ".weight")),
    "tensor that does not exist": _description(lambda d: d.update({"model.layers.7.mlp.up_proj.weight": "W8A8_DYNAMIC"})),
    "quantized cache": _description(lambda d: d.update({_LINEAR + ".weight_scale": "C8"})),
    "quantized attention": _description(lambda d: d.update(fa_quant_type="FAKQuant")),
    "online rotation": _description(lambda d: d.update(metadata={"quarot": {"max_tp_size": 4}})),
}


def gguf_cases(data):
    """{name: bytes} of broken copies of a good GGUF file."""
    cases = {
        "empty": b"",
        "magic": b"GGUX" + data[4:],
        "version": data[:4] + struct.pack("<I", 99) + data[8:],
        "tensor count": data[:8] + struct.pack("<Q", 1 << 60) + data[16:],
        "key count": data[:16] + struct.pack("<Q", 1 << 60) + data[24:],
        "key length": data[:24] + struct.pack("<Q", 1 << 63) + data[32:],
        "one byte short": data[:-1],
        "architecture": data.replace(b"llama", b"lambo"),
    }
    cases.update({f"first {share} %": data[:len(data) * share // 100] for share in (1, 10, 50, 90)})
    return cases
