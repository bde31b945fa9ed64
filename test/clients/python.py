"""Calls of the Python libraries, once for each place in the list on stdin; prints what they parsed as JSON.

Input: [{"mode": ..., "base": URL, "headers": {...}, "models": {"openai": ..., "anthropic": ..., "google": ...}}, ...]
Output: {library: {mode: {call: {"object": all that was parsed, "said": {"text": ..., "tool": ...}}}}}; an error as {"error": ...}.
"""

import asyncio
import json
import os
import sys
import time
import traceback
import warnings

warnings.filterwarnings("ignore")
os.environ.update(
    OPENAI_AGENTS_DISABLE_TRACING="1",
    LITELLM_LOCAL_MODEL_COST_MAP="True",
    ANONYMIZED_TELEMETRY="False",
    LANGSMITH_TRACING="false",
    DO_NOT_TRACK="1",
)

from pydantic import BaseModel  # noqa: E402

PROMPT = "What is a CDN?"
PARAMETERS = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


class Search(BaseModel):
    """Searches."""

    query: str


class Answer(BaseModel):
    """An answer."""

    answer: str
    confidence: float


def search(query: str) -> str:
    """Searches."""
    return query


def dumped(value):
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return json.loads(json.dumps(value, default=lambda inner: inner.__dict__ if hasattr(inner, "__dict__") else str(inner)))


def seen(value, text=None, tool=None):
    return {"object": dumped(value), "said": {"text": text, "tool": tool}}


def openai_clients(place):
    import openai

    options = {"api_key": "sk-app", "base_url": place["base"] + "/v1", "default_headers": place["headers"], "max_retries": 0}
    return openai.OpenAI(**options), openai.AsyncOpenAI(**options)


def with_openai(place):
    client, _ = openai_clients(place)
    model = place["models"]["openai"]
    messages = [{"role": "user", "content": PROMPT}]
    plain = client.chat.completions.create(model=model, messages=messages)
    yield "chat", seen(plain, plain.choices[0].message.content)
    chunks = list(client.chat.completions.create(model=model, messages=messages, stream=True, stream_options={"include_usage": True}))
    yield "chat stream", seen(chunks[-1], "".join(c.choices[0].delta.content or "" for c in chunks if c.choices))
    tools = [{"type": "function", "function": {"name": "search", "description": "Searches.", "parameters": PARAMETERS}}]
    called = client.chat.completions.create(model=model, messages=messages, tools=tools)
    call = called.choices[0].message.tool_calls[0].function
    yield "chat tool", seen(called, tool=[call.name, json.loads(call.arguments)])
    parsed = client.chat.completions.parse(model=model, messages=messages, response_format=Answer)
    yield "chat schema", seen(parsed, parsed.choices[0].message.parsed.answer)
    response = client.responses.create(model=model, input=PROMPT)
    yield "responses", seen(response, response.output_text)
    with client.responses.stream(model=model, input=PROMPT) as stream:
        for _ in stream:
            pass
        yield "responses stream", seen(stream.get_final_response(), stream.get_final_response().output_text)


def with_anthropic(place):
    import anthropic

    client = anthropic.Anthropic(api_key="app", base_url=place["base"], default_headers=place["anthropicHeaders"], max_retries=0)
    asked = {"model": place["models"]["anthropic"], "max_tokens": 500, "messages": [{"role": "user", "content": PROMPT}]}
    message = client.messages.create(**asked)
    yield "message", seen(message, message.content[0].text)
    with client.messages.stream(**asked) as stream:
        text = "".join(stream.text_stream)
        yield "message stream", seen(stream.get_final_message(), text)
    called = client.messages.create(**asked, tools=[{"name": "search", "description": "Searches.", "input_schema": PARAMETERS}])
    use = next(block for block in called.content if block.type == "tool_use")
    yield "message tool", seen(called, tool=[use.name, use.input])


def with_google(place):
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=place["base"], headers=place["headers"])
    client = genai.Client(api_key="app", http_options=options)
    model = place["models"]["google"]
    answer = client.models.generate_content(model=model, contents=PROMPT)
    yield "content", seen(answer, answer.text)
    chunks = list(client.models.generate_content_stream(model=model, contents=PROMPT))
    yield "content stream", seen(chunks[-1], "".join(chunk.text or "" for chunk in chunks))
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Answer)
    parsed = client.models.generate_content(model=model, contents=PROMPT, config=config)
    yield "content schema", seen(parsed, parsed.parsed.answer)


def with_langchain(place):
    from langchain_anthropic import ChatAnthropic
    from langchain_google_genai import ChatGoogleGenerativeAI
    from langchain_openai import ChatOpenAI

    models = place["models"]
    chats = {
        "openai": ChatOpenAI(
            model=models["openai"], api_key="app", base_url=place["base"] + "/v1", default_headers=place["headers"], max_retries=0
        ),
        "anthropic": ChatAnthropic(
            model=models["anthropic"], api_key="app", base_url=place["base"], default_headers=place["anthropicHeaders"], max_retries=0, max_tokens=500
        ),
        "google": ChatGoogleGenerativeAI(
            model=models["google"], google_api_key="app", base_url=place["base"], additional_headers=place["headers"], max_retries=1
        ),
    }
    for name, chat in chats.items():
        message = chat.invoke(PROMPT)
        yield name, seen(message, message.text if isinstance(message.text, str) else message.text())
        whole = None
        for chunk in chat.stream(PROMPT):
            whole = chunk if whole is None else whole + chunk
        yield name + " stream", seen(whole, whole.text if isinstance(whole.text, str) else whole.text())
        if name != "google":
            called = chat.bind_tools([search]).invoke(PROMPT)
            yield name + " tool", seen(called, tool=[called.tool_calls[0]["name"], called.tool_calls[0]["args"]])


def with_llama_index(place):
    from llama_index.llms.openai import OpenAI

    llm = OpenAI(
        model=place["models"]["openai"], api_key="app", api_base=place["base"] + "/v1", default_headers=place["headers"], max_retries=0
    )
    done = llm.complete(PROMPT)
    yield "complete", seen({"raw": dumped(done.raw)}, done.text)
    yield "complete stream", seen({}, "".join(chunk.delta or "" for chunk in llm.stream_complete(PROMPT)))


def with_pydantic_ai(place):
    from pydantic_ai import Agent, NativeOutput
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    _, client = openai_clients(place)
    model = OpenAIChatModel(place["models"]["openai"], provider=OpenAIProvider(openai_client=client))

    async def run():
        said = await Agent(model).run(PROMPT)
        tool = await Agent(model, output_type=Search).run(PROMPT)
        native = await Agent(model, output_type=NativeOutput(Answer)).run(PROMPT)
        usage = said.usage() if callable(said.usage) else said.usage
        return [
            ("text", seen({"usage": dumped(usage)}, said.output)),
            ("tool", seen({}, tool=["search", dumped(tool.output)])),
            ("schema", seen({}, native.output.answer)),
        ]

    yield from asyncio.run(run())


def with_instructor(place):
    import instructor

    client, _ = openai_clients(place)
    tools = instructor.from_openai(client, mode=instructor.Mode.TOOLS)
    asked = {"model": place["models"]["openai"], "messages": [{"role": "user", "content": PROMPT}], "max_retries": 0}
    yield "tool", seen({}, tool=["search", dumped(tools.chat.completions.create(response_model=Search, **asked))])
    schema = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    yield "schema", seen({}, schema.chat.completions.create(response_model=Answer, **asked).answer)


def with_litellm(place):
    import litellm

    litellm.telemetry = False
    models = place["models"]
    bases = {"openai/" + models["openai"]: place["base"] + "/v1", "anthropic/" + models["anthropic"]: place["base"]}
    for model, base in bases.items():
        asked = {
            "model": model,
            "api_base": base,
            "api_key": "app",
            "extra_headers": place["anthropicHeaders" if model.startswith("anthropic") else "headers"],
            "messages": [{"role": "user", "content": PROMPT}],
            "max_retries": 0,
        }
        name = model.split("/")[0]
        answer = litellm.completion(**asked)
        yield name, seen({"usage": dumped(answer.usage)}, answer.choices[0].message.content)
        chunks = list(litellm.completion(**asked, stream=True))
        yield name + " stream", seen({}, "".join(c.choices[0].delta.content or "" for c in chunks if c.choices))


def with_openai_agents(place):
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_tracing_disabled

    set_tracing_disabled(True)
    _, client = openai_clients(place)

    async def run():
        found = []
        for name, kind in (("chat", OpenAIChatCompletionsModel), ("responses", OpenAIResponsesModel)):
            agent = Agent(name="a", instructions="Be brief.", model=kind(model=place["models"]["openai"], openai_client=client))
            result = await Runner.run(agent, PROMPT)
            found.append((name, seen({"usage": dumped(result.raw_responses[0].usage)}, result.final_output)))
            typed = agent.clone(output_type=Answer)
            found.append((name + " schema", seen({}, (await Runner.run(typed, PROMPT)).final_output.answer)))
        return found

    yield from asyncio.run(run())


LIBRARIES = {
    "openai": with_openai,
    "anthropic": with_anthropic,
    "google-genai": with_google,
    "langchain": with_langchain,
    "llama-index": with_llama_index,
    "pydantic-ai": with_pydantic_ai,
    "instructor": with_instructor,
    "litellm": with_litellm,
    "openai-agents": with_openai_agents,
}


def named(place, library):
    """The place with the library's name in its workspaces, by which its records are found."""
    headers = {name: {"x-sluice-workspace": place[name]["x-sluice-workspace"] + "-" + library} for name in ("headers", "anthropicHeaders")}
    return {**place, **headers}


def main():
    places = json.load(sys.stdin)
    wanted = sys.argv[1:] or list(LIBRARIES)
    found = {}
    for library in wanted:
        found[library] = {}
        for place in places:
            calls = found[library][place["mode"]] = {}
            began = time.monotonic()
            try:
                for name, value in LIBRARIES[library](named(place, library)):
                    calls[name] = value
            except Exception:  # what a library throws is what the test shows
                calls["error"] = traceback.format_exc()[-1500:]
            print(library, place["mode"], f"{time.monotonic() - began:.1f} s", file=sys.stderr)
    json.dump(found, sys.stdout, default=str)


main()
