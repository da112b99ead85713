// `reserveInventory`: an order was placed, so its goods are put aside.
//
// Keeps nothing. The stock of this example has no end, except that of one product; a real one would be asked here, with the
// message's id as the key of the reservation, so that goods are reserved once.

import { handler, type Infer, integer, list, object, Permanent, publish, string } from "warren-guest";

const order = object({
    id: string,
    userId: string,
    items: list(object({ productId: string, quantity: integer })),
});

export default handler(order, ({ id, userId, items }: Infer<typeof order>): undefined => {
    const missing = items.find(({ productId }) => productId === "prod-discontinued");
    if (missing) throw new Permanent(`out of stock: ${missing.productId}`);
    publish("inventoryReserved", {
        type: "inventoryReserved",
        orderId: id,
        userId,
        items: items.map(({ productId, quantity }) => ({ productId, quantity })),
    });
});
