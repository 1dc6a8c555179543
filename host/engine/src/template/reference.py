"""Renders chat templates as transformers does: reads cases as JSON lines, writes texts or errors."""

import json
import sys

import jinja2
from transformers.utils.chat_template_utils import render_jinja_template

for line in sys.stdin:
    case = json.loads(line)
    try:
        (text,), _ = render_jinja_template(
            conversations=[case["messages"]],
            tools=case["tools"],
            chat_template=case["template"],
            add_generation_prompt=True,
            bos_token="<s>",
            eos_token="</s>",
            **case["arguments"],
        )
        print(json.dumps({"text": text}))
    except jinja2.exceptions.TemplateError as error:
        print(json.dumps({"error": str(error)}))
