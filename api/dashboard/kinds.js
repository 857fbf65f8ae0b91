// Names messages without text, by the gateway's own type if it is more specific than ours.

import { t } from "./language.js";

const RAW = {
	buttonsResponseMessage: "button_reply", templateButtonReplyMessage: "button_reply", buttons_response: "button_reply",
	listResponseMessage: "list_reply", list_response: "list_reply", interactiveResponseMessage: "form_reply",
	buttonsMessage: "with_buttons", templateMessage: "with_buttons", interactiveMessage: "with_buttons", listMessage: "with_list",
	groupInviteMessage: "group_invite", newsletterAdminInviteMessage: "channel_invite", newsletterFollowerInviteMessageV2: "channel_invite",
	productMessage: "product", eventMessage: "event", sendPaymentMessage: "payment", requestPaymentMessage: "payment_request",
	declinePaymentRequestMessage: "payment_request", cancelPaymentRequestMessage: "payment_request", invoiceMessage: "invoice",
	viewOnceMessage: "view_once", viewOnceMessageV2: "view_once", viewOnceMessageV2Extension: "view_once",
	messageContextInfo: "hidden", senderKeyDistributionMessage: "hidden", ephemeralMessage: "hidden",
	commentMessage: "comment", questionMessage: "question", statusMentionMessage: "mention", groupStatusMentionMessage: "mention",
	scheduledCallCreationMessage: "scheduled_call", limitSharingMessage: "privacy_notice", requestPhoneNumberMessage: "number_request",
	call: "call", call_log: "call", callLogMesssage: "call", callLogMessage: "call", bcallMessage: "call",
	CALL_MISSED_VOICE: "missed_call", CALL_MISSED_VIDEO: "missed_call", CALL_MISSED_GROUP_VOICE: "missed_call", CALL_MISSED_GROUP_VIDEO: "missed_call",
	E2E_IDENTITY_CHANGED: "security_code", GROUP_CHANGE_SUBJECT: "group_subject", GROUP_CREATE: "group_created", GROUP_CHANGE_ICON: "group_icon",
	GROUP_PARTICIPANT_ADD: "joined", GROUP_PARTICIPANT_INVITE: "joined", GROUP_PARTICIPANT_LEAVE: "left", GROUP_PARTICIPANT_REMOVE: "left",
};

export function kindOf({ message_type: type, raw_type: raw, address = "" }) {
	const known = raw && Object.hasOwn(RAW, raw) && RAW[raw];
	if (known) return t(`kind_${known}`);
	// The gateway gives no type. Such a message is a call, or a notice in a group.
	if (type === "system" && !raw) return t(address.endsWith("@g.us") ? "kind_group_notice" : "kind_probably_call");
	return t(type === "text" ? "no_text" : `type_${type}`);
}
