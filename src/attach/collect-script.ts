import { limits } from '../lib/limits.ts';

/**
 * Runs in Envoy's Lua filter, on answers that Sluice reads from the access log. It neither changes nor delays
 * them: it copies a bounded part into the metadata namespace `sluice.answer`:
 * - `body`: a whole answer that is not an event stream; `encoded`: the same in base64, if compressed or binary; `large`: it exceeds the bound
 * - `head`, `times`: the first chunks of a stream, and `bytes:milliseconds since 1970` for each
 * - `tail`: the last chunks; `gap`: chunks in between were omitted; `whole`: the stream ended properly in HTTP
 *
 * Sluice sets the size of the tail, because it knows how large the API's last event may be.
 */
export const collectScript = `
local whole_bytes, head_chunks, head_bytes = ${limits.answerBytes}, ${limits.collectedHeadChunks}, ${limits.collectedHeadBytes}

-- What the handle gives is good until the script waits for the next chunk.
local function put(handle, key, value)
  handle:streamInfo():dynamicMetadata():set("sluice.answer", key, value)
end

local function whole_answer(handle, encoded)
  local parts, size = {}, 0
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if length > 0 then
      size = size + length
      if size <= whole_bytes then parts[#parts + 1] = chunk:getBytes(0, length) else parts = {} end
    end
  end
  if size > whole_bytes then
    put(handle, "large", true)
  elseif encoded then
    put(handle, "encoded", handle:base64Escape(table.concat(parts)))
  else
    put(handle, "body", table.concat(parts))
  end
end

local function ends(bytes)
  return string.find(bytes, "[DONE]", 1, true) or string.find(bytes, "message_stop", 1, true) or string.find(bytes, "response.completed", 1, true)
end

local function stream(handle, tail_bytes)
  local head, times, headed, opened, step = {}, {}, 0, true, 1
  local tail, first, last, held, gap = {}, 1, 0, 0, false
  local function keep()
    if opened then
      put(handle, "head", table.concat(head))
      put(handle, "times", table.concat(times, ","))
    elseif last >= first then
      if gap then put(handle, "gap", true) end
      -- A cut may go through a character.
      put(handle, "tail", gap and string.gsub(table.concat(tail, "", first, last), "^[\\128-\\191]+", "") or table.concat(tail, "", first, last))
    end
  end
  local kept = true
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if length > 0 then
      local bytes = chunk:getBytes(0, length)
      kept = false
      if opened then
        head[#head + 1] = bytes
        times[#times + 1] = length .. ":" .. string.format("%.0f", handle:timestamp())
        headed = headed + length
        -- After 1, 2, 4, 8 … chunks: of a stream that is cut nothing is told later.
        local full = #head >= head_chunks or headed >= head_bytes
        if full or #head == step then
          keep()
          kept, step = true, step * 2
        end
        if full then opened, head, times = false, nil, nil end
      else
        last = last + 1
        tail[last] = bytes
        held = held + length
        while held - #tail[first] >= tail_bytes do
          held = held - #tail[first]
          tail[first] = nil
          first = first + 1
          gap = true
        end
      end
      -- Some clients leave once they have seen this.
      if not kept and ends(bytes) then
        keep()
        kept = true
      end
    end
  end
  if not kept then keep() end
  put(handle, "whole", true)
end

-- Sound, pictures and files say nothing of their price.
local function media(kind)
  return string.find(kind, "^audio/") or string.find(kind, "^image/") or string.find(kind, "^video/") or string.find(kind, "^application/octet%-stream")
end

function envoy_on_response(handle)
  local sluice = handle:streamInfo():dynamicMetadata():get("sluice")
  if sluice == nil or sluice["answer"] ~= "log" then return end
  local headers = handle:headers()
  local encoding = headers:get("content-encoding")
  local encoded = encoding ~= nil and encoding ~= "" and string.lower(encoding) ~= "identity"
  local kind = string.lower(headers:get("content-type") or "")
  if media(kind) then return end
  if encoded or string.find(kind, "text/event-stream", 1, true) ~= 1 then
    whole_answer(handle, encoded or string.find(kind, "application/vnd.amazon.eventstream", 1, true) == 1)
  else
    stream(handle, tonumber(sluice["answer_tail"]) or 0)
  end
end
`;
