const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether PostgreSQL takes it as an id: what is none is nobody's, and no reason to fail. */
export const isUuid = (text: unknown): text is string => typeof text === 'string' && uuid.test(text);
