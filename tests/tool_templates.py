"""Chat templates that tell models of tools, in the three forms of the field: short, and each with what is odd in it."""

from __future__ import annotations

#: Calls between markers, one after the other; what came of them as the user's words. Without tools it is plain ChatML.
HERMES = """
{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}# Tools
<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>
Answer with <tool_call>{"name": <name>, "arguments": <object>}</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.tool_calls %}<|im_start|>assistant{{ '\\n' + message.content if message.content }}
{%- for call in message.tool_calls %}{{ '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson }}}{{ '\\n</tool_call>' }}{% endfor %}<|im_end|>
{% elif message.role == 'tool' %}<|im_start|>user
<tool_response>{{ message.content }}</tool_response><|im_end|>
{% elif not (tools and loop.first and message.role == 'system') %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

#: One list of all calls behind a marker; tools before the last question; ids of nine letters and digits.
MISTRAL = """
{%- set first = 1 if messages[0].role == 'system' else 0 %}
{%- set users = messages | selectattr('role', 'equalto', 'user') | list %}
{%- for message in messages[first:] %}
{%- if message.role == 'user' %}
{%- if tools and message == users[-1] %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}[INST]
{%- if loop.last and first %}{{ messages[0].content + '\\n\\n' }}{% endif %}{{ message.content }}[/INST]
{%- elif message.tool_calls is defined %}[TOOL_CALLS][
{%- for call in message.tool_calls %}
{%- if call.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}
{{- (call.function | tojson)[:-1] + ', "id": "' + call.id + '"}' + (']' if loop.last else ', ') }}
{%- endfor %}{{ eos_token }}
{%- elif message.role == 'tool' %}[TOOL_RESULTS]{"content": {{ message.content | tojson }}, "call_id": "
{%- if message.tool_call_id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}
{{- message.tool_call_id }}"}[/TOOL_RESULTS]
{%- else %}{{ message.content + eos_token }}
{%- endif %}
{%- endfor %}"""

#: A call is all of an answer, one at a time, and its arguments are called parameters.
LLAMA = """
{%- macro turn(role, text) %}<|start|>{{ role }}<|end|>

{{ text }}<|im_end|>{% endmacro %}
{%- for message in messages %}
{%- if message.tool_calls is defined %}
{%- if message.tool_calls | length != 1 %}{{ raise_exception('one call at a time') }}{% endif %}
{%- set call = message.tool_calls[0].function %}
{{- turn('assistant', '{"name": "' + call.name + '", "parameters": ' + (call.arguments | tojson) + '}') }}
{%- elif message.role == 'tool' %}{{ turn('ipython', message.content | tojson) }}
{%- elif message.role == 'user' and tools and loop.index0 <= 1 %}
{{- turn('user', 'Respond with {"name": …, "parameters": …}.\\n\\n' + (tools | tojson) + '\\n\\n' + message.content) }}
{%- else %}{{ turn(message.role, message.content) }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|start|>assistant<|end|>

{% endif %}"""
