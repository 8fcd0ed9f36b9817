/**
 * The beginning of a session: `hello` of the asker, `hello` of the answerer, and where relays have a group key `proof` of the
 * asker, `proof` of the answerer. The asker, who comes uninvited, proves first.
 *
 * @module
 */
import { type Hellos, prove, type Role, type SessionCredentials, verify } from "./challenge.ts";
import { type Frame, type Hello, type Proof, SESSION_VERSION } from "./frames.ts";
import type { Origin } from "./message.ts";
import { SessionError } from "./session_error.ts";

export interface HandshakeOptions {
  readonly role: Role;
  /** What we say; with a nonce exactly if there are credentials. */
  readonly hello: Hello;
  readonly credentials?: SessionCredentials | undefined;
  /** Whom the asker wants to talk to. */
  readonly expected?: Origin | undefined;
}

/** One side of it. It gives what to send and says when the session is open. */
export class Handshake {
  readonly #options: HandshakeOptions;
  #peer: Hello | undefined;
  #open = false;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** Both sides know whom they talk to. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** The other side, as it says; proven where there is a key and the session is open. */
  get peer(): Hello | undefined {
    return this.#peer;
  }

  /** What to send before anything was heard. */
  begin(): readonly Frame[] {
    const { role, hello } = this.#options;
    return role === "asker" ? [hello] : [];
  }

  /** Takes a frame; answers what to send. @throws {SessionError} if this is not one to talk to. */
  handle(frame: Frame): readonly Frame[] {
    if (frame.type === "hello" && !this.#peer) return this.#greet(frame);
    if (frame.type === "proof" && this.#peer) return this.#prove(frame, this.#peer);
    throw new SessionError("protocol", `${frame.type} is not its turn`);
  }

  #greet(peer: Hello): readonly Frame[] {
    this.#check(peer);
    this.#peer = peer;
    const { role, hello, credentials } = this.#options;
    this.#open = !credentials;
    if (role === "answerer") return [hello];
    return credentials ? [prove(credentials, role, this.#hellos(peer))] : [];
  }

  #check(peer: Hello): void {
    const { role, hello, credentials, expected } = this.#options;
    if (peer.version !== SESSION_VERSION) {
      const versions = `version ${peer.version}, not ${SESSION_VERSION}`;
      throw new SessionError("version", `the ${other(role)} speaks session ${versions}`);
    }
    if (credentials && !peer.nonce) {
      throw new SessionError("key", `the ${other(role)} has no group key`);
    }
    if (!credentials && peer.nonce) {
      throw new SessionError("key", `the ${other(role)} has a group key, the ${role} has none`);
    }
    if (peer.origin === hello.origin || (expected !== undefined && peer.origin !== expected)) {
      throw new SessionError("identity", "another relay answers at its address");
    }
  }

  #prove(proof: Proof, peer: Hello): readonly Frame[] {
    const { role, credentials } = this.#options;
    if (!credentials) throw new SessionError("protocol", "proof is not its turn");
    const hellos = this.#hellos(peer);
    verify(credentials, other(role), hellos, proof);
    this.#open = true;
    return role === "answerer" ? [prove(credentials, role, hellos)] : [];
  }

  #hellos(peer: Hello): Hellos {
    const { role, hello } = this.#options;
    return role === "asker" ? { asker: hello, answerer: peer } : { asker: peer, answerer: hello };
  }
}

function other(role: Role): Role {
  return role === "asker" ? "answerer" : "asker";
}
