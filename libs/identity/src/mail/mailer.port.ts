export interface Mail {
  to: string;
  subject: string;
  text: string;
}

/** Sends mail to people. */
export abstract class Mailer {
  /** Whether a mail server is configured. */
  abstract readonly canSend: boolean;

  /** @throws where the mail server did not take it */
  abstract send(mail: Mail): Promise<void>;
}
