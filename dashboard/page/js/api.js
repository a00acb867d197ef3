// Questions to the sensor.

export class Failure extends Error {
  constructor(message, status, requestId, key, args) {
    super(message);
    Object.assign(this, { status, requestId, key, args });
  }
}

export async function ask(path, params = {}, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  const text = query.toString();
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}${text ? `?${text}` : ""}`, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("no answer", 0, null, "failed.no_answer");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) {
    const told = body && body.error;
    if (told) throw new Failure(told.message, answer.status, told.request_id);
    throw new Failure("", answer.status, null, "failed.status", { status: answer.status });
  }
  return body;
}

export const inWindow = (window) => (window ? { from_ns: String(window.from), to_ns: String(window.to) } : {});
