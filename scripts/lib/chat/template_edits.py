"""Changes to a chat template, made in its own Jinja text, so that whoever renders the published template has them, too.

Statements that are put before a template end with a line break, which Jinja takes off as transformers sets it up.
"""

import datetime
import json
import re

from lib.core.errors import UserError

_DATE = re.compile(r"""strftime_now\(\s*(?P<quote>['"])(?P<format>[^'"]*)(?P=quote)\s*\)""")
_SYSTEM_IN_QUESTION = """\
{%- if messages and messages[0]['role'] == 'system' and messages | length > 1 and messages[1]['role'] == 'user' -%}
{%- set asked = messages[0]['content'] + '\\n\\n' + messages[1]['content'] -%}
{%- set messages = [{'role': 'user', 'content': asked}] + messages[2:] -%}
{%- endif %}
"""
_SYSTEM_BY_DEFAULT = """\
{%- if not messages or messages[0]['role'] != 'system' -%}
{%- set messages = [{'role': 'system', 'content': TEXT}] + messages -%}
{%- endif %}
"""
# As the Hermes and Qwen models have it.
_CALLS_AS_TEXT = """\
{%- set spoken = namespace(messages=[], result=false) -%}
{%- for message in messages -%}
{%- if message['role'] == 'assistant' and message['tool_calls'] -%}
{%- set written = namespace(text=message['content'] or '') -%}
{%- for call in message['tool_calls'] -%}
{%- set arguments = call['function']['arguments'] | default({}) -%}
{%- set arguments = arguments if arguments is string else arguments | tojson -%}
{%- set written.text = written.text + ('\\n' if written.text else '') + '<tool_call>\\n{"name": ' \
+ call['function']['name'] | tojson + ', "arguments": ' + arguments + '}\\n</tool_call>' -%}
{%- endfor -%}
{%- set spoken.messages = spoken.messages + [dict(message, content=written.text, tool_calls=[])] -%}
{%- elif message['role'] == 'tool' and RESULTS -%}
{%- set result = '<tool_response>\\n' + message['content'] + '\\n</tool_response>' -%}
{%- if spoken.result -%}
{%- set result = spoken.messages[-1]['content'] + '\\n' + result -%}
{%- set spoken.messages = spoken.messages[:-1] -%}
{%- endif -%}
{%- set spoken.messages = spoken.messages + [{'role': 'user', 'content': result}] -%}
{%- else -%}
{%- set spoken.messages = spoken.messages + [message] -%}
{%- endif -%}
{%- set spoken.result = message['role'] == 'tool' -%}
{%- endfor -%}
{%- set messages = spoken.messages %}
"""
_TOOLS_AS_TEXT = """\
{%- if tools -%}
{%- set described = '# Tools\\n\\nYou may call these functions:\\n<tools>\\n' + tools | map('tojson') | join('\\n') \
+ '\\n</tools>FORMAT' -%}
{%- if messages and messages[0]['role'] == 'system' -%}
{%- set described = messages[0]['content'] + '\\n\\n' + described -%}
{%- set messages = messages[1:] -%}
{%- endif -%}
{%- set messages = [{'role': 'system', 'content': described}] + messages -%}
{%- endif %}
"""
_CALL_FORMAT = (
    r"\n\nWrite each call as JSON between these tags:\n"
    r'<tool_call>\n{"name": <function>, "arguments": <arguments as JSON>}\n</tool_call>'
)


def with_fixed_date(template: str, date: datetime.date) -> str:
    """`template` with `date` in every place where it would write today's."""
    fixed = _DATE.sub(lambda found: json.dumps(date.strftime(found["format"]), ensure_ascii=False), template)
    if re.search(r"strftime_now\s*\(", fixed):
        raise UserError(
            "the chat template writes today's date in a format that is not in its text, so that the date cannot be "
            "fixed; set sft.template to a file of your own"
        )
    return fixed


def with_system(template: str, text: str) -> str:
    """`template` with the system prompt `text` for conversations that have none."""
    return _SYSTEM_BY_DEFAULT.replace("TEXT", json.dumps(text, ensure_ascii=False)) + template


def with_system_in_question(template: str) -> str:
    """`template` with a system prompt written before the first question, an empty line between them."""
    return _SYSTEM_IN_QUESTION + template


def with_calls_in_text(template: str, results: bool) -> str:
    """`template` with calls of tools as text in answers and, with `results`, what they give as what the user says."""
    return _CALLS_AS_TEXT.replace("RESULTS", "true" if results else "false") + template


def with_tools_in_system(template: str, describe_format: bool) -> str:
    """`template` with tools described in the system prompt, and how to call them where that is `with_calls_in_text`."""
    return _TOOLS_AS_TEXT.replace("FORMAT", _CALL_FORMAT if describe_format else "") + template


def without_text(template: str, text: str) -> str:
    """`template` without `text`, as its Jinja writes that: in its text or as a constant."""
    for quotes in ("", "'", '"', "'\""):
        written = text.replace("\\", "\\\\").replace("\n", "\\n")
        for quote in quotes:
            written = written.replace(quote, f"\\{quote}")
        template = template.replace(written, "")
    return template.replace(text, "")
