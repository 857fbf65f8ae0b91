// Describes errors of the API by their codes. Codes that ask the same of the reader share a text.

import { t } from "../page/language.js";

const CODES = {
	asked: "bad_address bad_cursor bad_form bad_idempotency_key bad_json bad_limit bad_parameter bad_request csrf idempotency_key_reused method_not_allowed refused send_failed send_in_progress send_unknown session_missing several_chats token_missing too_many_annotations unknown_parameter",
	gone: "chat_not_found message_not_found not_found note_not_found push_not_configured redrive_not_found send_not_found session_not_found test_event_not_found token_ended token_not_found",
	broken: "ingest_refused internal_error",
	away: "database_unavailable ingest_unreachable sak_unavailable",
	busy: "no_temporary_space rate_limited too_many_exports too_many_failed_attempts too_many_requests_at_once too_many_sends",
	forbidden: "all_sessions_needed more_than_own scope_missing session_forbidden unauthorized",
	recipient: "bad_recipient unknown_lid",
	file: "bad_file_type body_too_large empty_file",
	gateway: "sak_not_configured test_event_impossible wrong_session",
	broad: "query_too_broad",
	large: "export_too_large",
	old: "changes_pruned epoch_changed",
	name: "bad_token_name token_name_taken",
};

export function describe(code, status) {
	const [name] = Object.entries(CODES).find(([, codes]) => codes.split(" ").includes(code)) ?? ["other"];
	return t(`error_${name}`, { status: String(status) });
}
