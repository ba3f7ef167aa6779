// One face for the two official TypeScript SDKs: connect, list, call, read, hear, terminate. Each HTTP exchange is noted,
// because the SDKs hide what matters here (terminateSession() swallows a 405; only v2 tells a status apart from a message).

const CAPABILITIES = { elicitation: { form: {} } };
const HEARD = ['notifications/resources/updated', 'notifications/resources/list_changed', 'notifications/message'];
const MODES = { legacy: 'legacy', auto: 'auto', modern: { pin: '2026-07-28' } };

/**
 * A connected client.
 * @param sdk 'v1' or 'v2'
 * @param sessionId a session to come back to: the SDK then skips `initialize`
 * @param exchanges where the HTTP exchanges are noted
 * @param onQuestion answers elicitation requests: (message) => ElicitResult
 * @param fetch what the transport sends with, in place of the runtime's own
 * @param authProvider logs in, as the SDK asks it to
 * @param onNotice hears of what the server says by itself, notifications: ({method, params})
 */
export async function connect({ sdk, url, options, exchanges = [], onQuestion, onNotice, onError, sessionId, fetch, authProvider }) {
  const transportOptions = { requestInit: { headers: options.headers }, fetch: noting(exchanges, fetch), sessionId, authProvider };
  const parts = await { v1: loadV1, v2: loadV2 }[sdk](options);
  const transport = new parts.Transport(new URL(url), transportOptions);
  parts.client.onerror = onError;
  parts.answer((request) => onQuestion(request.params.message));
  if (onNotice) parts.hear(onNotice);
  await parts.client.connect(transport, { timeout: options.callTimeoutMs });
  return new Connection(parts, transport, exchanges, options);
}

/** The status of a plain tools/list with this session id. */
export async function statusOf(sessionId, url, { headers }) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      ...headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-session-id': sessionId,
      'mcp-protocol-version': '2025-11-25',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'after-the-end', method: 'tools/list' }),
  });
  await response.body?.cancel();
  return response.status;
}

class Connection {
  constructor({ client, call }, transport, exchanges, options) {
    Object.assign(this, { client, transport, exchanges, options });
    this.callWith = call;
  }

  get sessionId() {
    return this.transport.sessionId;
  }

  get protocolVersion() {
    return this.client.getNegotiatedProtocolVersion?.() ?? this.transport.protocolVersion;
  }

  get isModern() {
    return this.protocolVersion >= '2026';
  }

  async tools() {
    return (await this.client.listTools(undefined, this.#timeout())).tools;
  }

  call(name, args = {}, onprogress = undefined) {
    return this.callWith({ name, arguments: args }, { ...this.#timeout(), onprogress, resetTimeoutOnProgress: true });
  }

  /** The URIs of all resources. */
  async resources() {
    return (await this.client.listResources(undefined, this.#timeout())).resources.map(({ uri }) => uri);
  }

  /** A resource's text. */
  async read(uri) {
    return (await this.client.readResource({ uri }, this.#timeout())).contents.map(({ text }) => text).join('');
  }

  subscribe(uri) {
    return this.client.subscribeResource({ uri }, this.#timeout());
  }

  setLogLevel(level) {
    return this.client.setLoggingLevel(level, this.#timeout());
  }

  #timeout() {
    return { timeout: this.options.callTimeoutMs };
  }

  /** Ends the session with DELETE and says what the server answered. */
  async terminate() {
    const answered = () => this.exchanges.findLast(({ method }) => method === 'DELETE')?.status;
    await this.transport.terminateSession().catch((error) => {
      if (!answered()) throw error;
    });
    return answered();
  }

  close() {
    return this.client.close();
  }
}

async function loadV1({ clientName, era }) {
  if (era !== 'legacy') throw new Error('the v1 SDK speaks the legacy era only');
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
  const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
  const types = await import('@modelcontextprotocol/sdk/types.js');
  const client = new Client({ name: clientName, version: '1.32.2' }, { capabilities: CAPABILITIES });
  return {
    client,
    Transport: StreamableHTTPClientTransport,
    answer: (handler) => client.setRequestHandler(types.ElicitRequestSchema, handler),
    hear: (handler) => {
      client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, handler);
      client.setNotificationHandler(types.ResourceListChangedNotificationSchema, handler);
      client.setNotificationHandler(types.LoggingMessageNotificationSchema, handler);
    },
    call: (params, options) => client.callTool(params, undefined, options),
  };
}

async function loadV2({ clientName, era }) {
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const negotiation = { capabilities: CAPABILITIES, versionNegotiation: { mode: MODES[era] } };
  const client = new Client({ name: clientName, version: '2.4.0' }, negotiation);
  return {
    client,
    Transport: StreamableHTTPClientTransport,
    answer: (handler) => client.setRequestHandler('elicitation/create', handler),
    hear: (handler) => HEARD.forEach((method) => client.setNotificationHandler(method, handler)),
    call: (params, options) => client.callTool(params, options),
  };
}

/** A fetch that notes method, message, status and the session ids that went by. */
function noting(exchanges, send = fetch) {
  return async (input, init = {}) => {
    const exchange = {
      method: init.method ?? 'GET',
      message: messageOf(init.body),
      sent: new Headers(init.headers).get('mcp-session-id'),
      status: null,
      received: null,
    };
    exchanges.push(exchange);
    const response = await send(input, init);
    exchange.status = response.status;
    exchange.received = response.headers.get('mcp-session-id');
    return response;
  };
}

/** What a message is called; null for what is none, as what goes to an authorization server. */
function messageOf(body) {
  if (typeof body !== 'string' || !body.startsWith('{')) return null;
  const message = JSON.parse(body);
  if (message.jsonrpc !== '2.0') return null;
  return message.method ?? ('error' in message ? 'error' : 'result');
}
