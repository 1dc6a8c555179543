"""What a program that uses OpenAI's SDK does; prints what came of it as JSON."""

import json
import sys

import openai

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="test", max_retries=0)
question = {
    "model": "default",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "temperature": 0,
}

plain = client.chat.completions.with_raw_response.create(**question)
answer = plain.parse()
with client.chat.completions.create(
    **question, stream=True, stream_options={"include_usage": True}
) as stream:
    chunks = list(stream)
try:
    client.chat.completions.create(**{**question, "temperature": 9})
    refusal = None
except openai.BadRequestError as error:
    refusal = error.param

print(
    json.dumps(
        {
            "models": [model.id for model in client.models.list()],
            "cache_status": plain.headers["cache-status"],
            "text": answer.choices[0].message.content,
            "streamed": "".join(c.choices[0].delta.content or "" for c in chunks if c.choices),
            "tokens": [answer.usage.total_tokens, chunks[-1].usage.total_tokens],
            "refusal": refusal,
        }
    )
)
