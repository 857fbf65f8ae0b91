// Names messages without text, by the gateway's own type if it is more specific than ours.

import { t } from "../page/language.js";

// The gateway's types of each kind.
const KINDS = {
	button_reply: "buttonsResponseMessage templateButtonReplyMessage buttons_response",
	list_reply: "listResponseMessage list_response",
	form_reply: "interactiveResponseMessage",
	with_buttons: "buttonsMessage templateMessage interactiveMessage",
	with_list: "listMessage",
	group_invite: "groupInviteMessage",
	channel_invite: "newsletterAdminInviteMessage newsletterFollowerInviteMessageV2",
	product: "productMessage",
	event: "eventMessage",
	payment_request: "requestPaymentMessage declinePaymentRequestMessage cancelPaymentRequestMessage",
	invoice: "invoiceMessage",
	view_once: "viewOnceMessage viewOnceMessageV2 viewOnceMessageV2Extension",
	hidden: "messageContextInfo senderKeyDistributionMessage ephemeralMessage",
	comment: "commentMessage",
	question: "questionMessage",
	mention: "statusMentionMessage groupStatusMentionMessage",
	scheduled_call: "scheduledCallCreationMessage",
	privacy_notice: "limitSharingMessage",
	number_request: "requestPhoneNumberMessage",
	call: "call call_log callLogMesssage callLogMessage bcallMessage",
	missed_call: "CALL_MISSED_VOICE CALL_MISSED_VIDEO CALL_MISSED_GROUP_VOICE CALL_MISSED_GROUP_VIDEO",
	security_code: "E2E_IDENTITY_CHANGED",
	group_subject: "GROUP_CHANGE_SUBJECT",
	group_created: "GROUP_CREATE",
	group_icon: "GROUP_CHANGE_ICON",
	joined: "GROUP_PARTICIPANT_ADD GROUP_PARTICIPANT_INVITE",
	left: "GROUP_PARTICIPANT_LEAVE GROUP_PARTICIPANT_REMOVE",
};
const RAW = new Map(Object.entries(KINDS).flatMap(([kind, types]) => types.split(" ").map((type) => [type, kind])));

export function kindOf({ message_type: type, raw_type: raw, address = "" }) {
	const known = RAW.get(raw);
	if (known) return t(`kind_${known}`);
	// The gateway gives no type. Such a message is a call, or a notice in a group.
	if (type === "system" && !raw) return t(address.endsWith("@g.us") ? "kind_group_notice" : "kind_probably_call");
	return t(type === "text" ? "no_text" : `type_${type}`);
}
