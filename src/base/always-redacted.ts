/** The names that no log ever shows a value of: the log hides them, and the reference of the configuration says so. */

/** These exist only to carry a secret. Lower case. */
export const ALWAYS_REDACTED: readonly string[] = ['authorization', 'proxy-authorization', 'access_token'];
