"""Conversations for the chat templates of real models, and small templates that pin what transformers' Jinja does."""

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Current weather in \"any\" city: <temperature> & wind's speed.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "e.g. São Paulo, 東京"}, "unit": {"type": "string", "enum": ["°C", "°F"]}},
        "required": ["city"]}}}
ADD = {"type": "function", "function": {"name": "add", "description": "a + b", "parameters": {
    "type": "object", "properties": {"a": {"type": "number", "default": 0.5}, "b": {"type": "integer", "minimum": -3}}, "required": []}}}


def say(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


SYSTEM = say("system", "You answer in one line.\nNo more.")
TURNS = [say("user", "Hi!"), say("assistant", "Hello. How can I help?"), say("user", "What is 2+2? <b>bold</b> & \"quotes\" 'single' \\n\n")]
ODD = [say("user", "  leading and trailing  \n\n"), say("assistant", "\n\n日本語 😀 \u0000\u001f"), say("user", "")]
CALLS = [say("user", "Weather in São Paulo and Tokyo?"),
         say("assistant", "", tool_calls=[call("get_weather", {"city": "São Paulo", "unit": "°C"}), call("get_weather", {"city": "東京"})]),
         say("tool", "{\"temp\": 21.5}"), say("tool", "{\"temp\": 9}")]
ROUND = CALLS + [say("assistant", "21.5 and 9 degrees."), say("user", "Add them."),
                 say("assistant", "Let me add.", tool_calls=[call("add", {"a": 21.5, "b": 9, "nested": {"x": [1, None, True, "q\"<&>'"], "y": {}}})]),
                 say("tool", "30.5")]
BARE = [say("user", "Add 1 and 2."), say("assistant", "", tool_calls=[{"name": "add", "arguments": {"a": 1, "b": 2}}]), say("tool", "3")]
TEXT_ARGUMENTS = [say("user", "go"), say("assistant", "", tool_calls=[call("add", "{\"a\": 1}")]), say("tool", "1"), say("assistant", "done")]
THINKING = [say("user", "1+1?"), say("assistant", "<think>\nsmall numbers\n</think>\n\n2"), say("user", "2+2?"),
            say("assistant", "<think>\nagain\n</think>\n\n4", tool_calls=[call("add", {"a": 2, "b": 2})]), say("tool", "4")]
REASONING = [say("user", "1+1?"), say("assistant", "2", reasoning_content="\nsmall numbers\n")]

CONVERSATIONS = {  # name: (messages, tools)
    "user": ([say("user", "What is the capital of France?")], None),
    "system-user": ([SYSTEM, say("user", "Hi")], None),
    "turns": (TURNS, None),
    "system-turns": ([SYSTEM, *TURNS], None),
    "odd-text": (ODD, None),
    "late-system": ([say("user", "a"), say("system", "b"), say("user", "c")], None),
    "ends-with-assistant": (TURNS[:2], None),
}
TOOL_CONVERSATIONS = {
    "tools-user": ([say("user", "Weather in Paris?")], [WEATHER]),
    "tools-system": ([SYSTEM, say("user", "Weather in Paris?")], [WEATHER, ADD]),
    "calls": (CALLS, [WEATHER]),
    "calls-round": ([SYSTEM, *ROUND], [WEATHER, ADD]),
    "calls-without-tools": (ROUND, None),
    "calls-bare": (BARE, [ADD]),
    "calls-text-arguments": (TEXT_ARGUMENTS, [ADD]),
}
THINKING_CONVERSATIONS = {
    "thinking": (THINKING, [ADD]), "thinking-no-tools": (THINKING[:3], None), "thinking-last": (THINKING[:2], None),
    "reasoning-content": (REASONING, None), "reasoning-content-then-user": ([*REASONING, say("user", "ok")], None),
    "null-content": ([say("user", "x"), say("assistant", None, tool_calls=[call("add", {})])], [ADD]),
}

NUMBERS = {"floats": [1.0, 0.1, 1e-7, 1e-5, 0.0001, 1e15, 1e16, 1.5e300, -0.0, 3.14159265358979], "ints": [0, -1, 9007199254740993]}
FEATURES = {  # name: (template, kwargs); messages are TURNS
    "tojson-numbers": ("{{ n | tojson }}", {"n": NUMBERS}),
    "print-numbers": ("{% for x in n.floats + n.ints %}{{ x }} {% endfor %}", {"n": NUMBERS}),
    "tojson-text": ("{{ t | tojson }}", {"t": {"é": "日本 😀 <a href='x'>&\"\\/\u0001\u007f\u2028\n\t", "b": [True, False, None], "e": {}, "l": []}}),
    "tojson-indent": ("{{ t | tojson(indent=2) }}|{{ t | tojson(indent=4) }}", {"t": {"a": [1, {"b": []}], "c": "é"}}),
    "tojson-options": ("{{ t | tojson(ensure_ascii=True) }}|{{ t | tojson(sort_keys=True) }}|{{ t | tojson(separators=(',', ':')) }}",
                       {"t": {"b": "é😀", "a": [1, 2]}}),
    "key-order": ("{% for k, v in t.items() %}{{ k }}={{ v }};{% endfor %}{{ t.keys() | list }}", {"t": {"z": 1, "a": 2, "m": "x"}}),
    "print-values": ("{{ none }} {{ true }} {{ false }} {{ [1, 'a', none, true] }} {{ {'k': 'v', 'n': 1.0} }} {{ (1, 2) }}", {}),
    "print-quotes": ("{{ ['it\\'s', 'say \"x\"', 'a\\nb', 'é', '\\\\'] }}", {}),
    "undefined": ("[{{ nothing }}]{% if nothing is defined %}a{% endif %}{% if not nothing %}b{% endif %}{% for x in nothing %}c{% endfor %}", {}),
    "undefined-attribute": ("{{ nothing.deeper }}", {}),
    "undefined-add": ("{{ 'a' + nothing }}", {}),
    "missing-key": ("[{{ messages[0].missing }}][{{ messages[0]['missing'] }}]{{ messages[0].get('missing', 'd') }}", {}),
    "blocks": ("  {% if true %}\n    a\n  {% endif %}\nb\n{%- if true -%}\n  c  \n{%- endif %}\n\n {# note #}\nd\n", {}),
    "trailing-newline": ("a\n", {}),
    "strings": ("{{ s.strip() }}|{{ s.lstrip() }}|{{ s.rstrip('! ') }}|{{ s.split() }}|{{ 'a,b,,c'.split(',') }}|{{ 'a,b,c'.split(',', 1) }}|{{ s.upper() }}"
                "|{{ s.title() }}|{{ s.replace('l', 'L', 1) }}|{{ s.startswith('  h') }}|{{ s.endswith('!') }}|{{ s.find('lo') }}|{{ 'x'.join(['1', '2']) }}", {"s": "  hello world!"}),
    "slices": ("{{ messages[::-1] | map(attribute='role') | list }}|{{ messages[1:] | length }}|{{ 'abcdef'[-3:] }}|{{ messages[-1]['role'] }}", {}),
    "filters": ("{{ ' x ' | trim }}|{{ 'ab' | upper }}|{{ [3, 1, 2] | sort }}|{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ none | default('d') }}"
                "|{{ none | default('d', true) }}|{{ ['a', 'b'] | join('-') }}|{{ [1, 2] | first }}{{ [1, 2] | last }}|{{ 'a' in 'cat' }}|{{ {'a': 1} | items | list }}", {}),
    "filters-more": ("{{ 3.7 | int }}|{{ '5' | int + 1 }}|{{ 'x' ~ 1 ~ none }}|{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ 2 ** 10 }} {{ 7 / 2 }} {{ 4 / 2 }}|{{ 'a' * 3 }}"
                     "|{{ [1] + [2] }}|{{ 'ä' | length }}|{{ 'a b' | replace(' ', '_') }}|{{ {'b': 1, 'a': 2} | dictsort }}|{{ 'text' | string }}|{{ ['a', 'b'] | reject('equalto', 'a') | list }}", {}),
    "indent": ("{{ 'a\\nb\\n\\nc' | indent(2) }}|{{ 'a\\nb' | indent(4, true) }}", {}),
    "loop-controls": ("{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}", {}),
    "loop-variables": ("{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.length }}"
                       "{{ loop.previtem.role if loop.previtem }}{{ loop.nextitem.role if loop.nextitem is defined }} {% else %}x{% endfor %}", {}),
    "namespace": ("{% set ns = namespace(n=0, s='') %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% set ns.s = ns.s + m.role[0] %}{% endfor %}{{ ns.n }}{{ ns.s }}", {}),
    "scope": ("{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", {}),
    "macro": ("{% macro f(a, b='q') %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(2, b=3) }}", {}),
    "set-block": ("{% set x %}a{{ 1 }}\n{% endset %}{{ x }}{{ x | length }}", {}),
    "generation": ("{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor %}", {}),
    "tests": ("{{ 'a' is string }}{{ 1 is string }}{{ [] is iterable }}{{ {} is mapping }}{{ 1 is number }}{{ none is none }}{{ [] is sequence }}{{ true is boolean }}{{ 3 is odd }}{{ 1 is integer }}{{ 1.0 is float }}{{ 'a' is sequence }}", {}),
    "raise": ("{{ raise_exception('Conversation roles must alternate') }}", {}),
    "tokens": ("[{{ bos_token }}][{{ eos_token }}][{{ pad_token }}][{{ unk_token }}]", {}),
    "tools-none": ("{% if tools is none %}none{% elif tools is defined %}defined{% else %}undefined{% endif %}{{ documents is none }}", {}),
    "escape": ("{{ '<&>' }}{{ '<&>' | e }}{{ '<&>' | safe }}", {}),
    "syntax-error": ("{% if %}", {}),
    "divide-by-zero": ("{{ 1 // 0 }}", {}),
    "mutation": ("{% set x = [1] %}{% set _ = x.append(2) %}{{ x }}", {}),
}
