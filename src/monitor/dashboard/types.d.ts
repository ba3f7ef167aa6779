// What the modules of the dashboard tell each other, for whoever reads or checks them: browsers get none of it.

export interface Session {
	session_id: string;
	status: 'active' | 'disconnected';
	client_type: string;
	client_version: string;
	protocol_version: string;
	replica: string;
	created_at: number;
	last_seen_at: number;
	reconnect_count: number;
	/** Why it ended; it is shown a little longer. */
	ended?: string;
}

export interface SessionEvent {
	n: number;
	type: string;
	at: number;
	/** `null` where none is known, and for whoever may see counts alone. */
	session: Session | null;
	reason?: string;
	how?: string;
	gap_ms?: number;
	from_replica?: string;
	outcome?: string;
	door?: string;
}

export interface Update {
	mode: 'snapshot' | 'delta';
	from: string | null;
	to: string;
	at: number;
	events: SessionEvent[];
	stats?: any;
	state: 'live' | 'degraded';
	more?: boolean;
}

/** What the feed needs of the world; a test gives it another. */
export interface World {
	fetch: typeof fetch;
	WebSocket: new (url: string, protocols: string[]) => WebSocket;
	url: (path: string) => string;
	headers: () => Record<string, string>;
	token: () => string;
	isVisible: () => boolean;
	now: () => number;
	random: () => number;
	later: (run: () => void, ms: number) => any;
	never: (timer: any) => void;
}

/** Why a link ended. */
export interface End {
	/** A WebSocket's close code, or an HTTP status. */
	code?: number;
	retryMs?: number;
}

/** What a link tells. */
export interface Listener {
	cursor: () => string | null;
	/** Before the cursor is used. */
	onAsk: () => void;
	/** The server speaks. */
	onOpen: () => void;
	onContact: () => void;
	onUpdate: (update: Update) => void;
	/** Once, and nothing after it. */
	onEnd: (end: End) => void;
}

export interface Link {
	close: () => void;
	wake?: () => void;
}
