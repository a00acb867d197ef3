// Questions to the sensor.

export class Failure extends Error {
  constructor(message, status, requestId) {
    super(message);
    this.status = status;
    this.requestId = requestId;
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
    throw new Failure("The sensor does not answer.", 0);
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) {
    const told = body && body.error;
    throw new Failure(told ? told.message : `The sensor answered ${answer.status}.`, answer.status, told && told.request_id);
  }
  return body;
}

export const inWindow = (window) => (window ? { from_ns: String(window.from), to_ns: String(window.to) } : {});
